"""The losses by name."""

from __future__ import annotations

from deepseg_train.losses.boundary import BoundaryLoss
from deepseg_train.losses.cl_dice import ClDiceLoss
from deepseg_train.losses.cross_entropy import CrossEntropyLoss
from deepseg_train.losses.dice import DiceLoss
from deepseg_train.losses.dice_cross_entropy import DiceCrossEntropyLoss
from deepseg_train.losses.focal import FocalLoss
from deepseg_train.losses.generalised_dice import GeneralisedDiceLoss
from deepseg_train.losses.hausdorff import HausdorffLoss
from deepseg_train.losses.ml1_ace import MarginalCalibrationLoss
from deepseg_train.losses.tversky import TverskyLoss
from deepseg_train.losses.voxel_loss import VoxelLoss
from deepseg_train.losses.weighted_cross_entropy import WeightedCrossEntropyLoss

LOSSES: dict[str, type[VoxelLoss]] = {
    "cross-entropy": CrossEntropyLoss,
    "weighted-cross-entropy": WeightedCrossEntropyLoss,
    "dice": DiceLoss,
    "generalised-dice": GeneralisedDiceLoss,
    "focal": FocalLoss,
    "tversky": TverskyLoss,
    "dice-cross-entropy": DiceCrossEntropyLoss,
    "boundary": BoundaryLoss,
    "hausdorff": HausdorffLoss,
    "cl-dice": ClDiceLoss,
    "ml1-ace": MarginalCalibrationLoss,
}
"""What a config's `loss.terms` may name. A new loss: a subclass of `VoxelLoss` in a file of its own, and a line here."""
