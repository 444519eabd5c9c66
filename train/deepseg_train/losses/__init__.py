"""Training losses: one file each, summed as a config says."""

from __future__ import annotations

from deepseg_train.losses.combined import CombinedLoss
from deepseg_train.losses.deep_supervision import DeepSupervisionLoss, head_weights
from deepseg_train.losses.distillation import DistillationLoss
from deepseg_train.losses.multi_task import LearnedWeights
from deepseg_train.losses.noisy_logits import NoisyLogitsLoss
from deepseg_train.losses.registry import LOSSES
from deepseg_train.losses.settings import LossSettings, LossTerm
from deepseg_train.losses.voxel_loss import Answer, Reference, VoxelLoss

__all__ = [
    "LOSSES",
    "Answer",
    "CombinedLoss",
    "DeepSupervisionLoss",
    "DistillationLoss",
    "LearnedWeights",
    "LossSettings",
    "LossTerm",
    "NoisyLogitsLoss",
    "Reference",
    "VoxelLoss",
    "head_weights",
]
