"""Soft Dice."""

from __future__ import annotations

import torch

from deepseg_train.losses.overlap import dice, volumes_of
from deepseg_train.losses.voxel_loss import Answer, Reference, VoxelLoss


class DiceLoss(VoxelLoss):
    """1 - soft Dice of the whole batch, the mean over labels without the background (Milletari et al. 2016, arXiv:1606.04797; sums not squared)."""

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        intersections = volumes_of(answer.foreground * reference.masks)
        return 1 - dice(intersections, volumes_of(answer.foreground), reference.volumes).mean()
