"""Generalised Dice."""

from __future__ import annotations

import torch

from deepseg_train.losses.overlap import SMOOTHING, volumes_of
from deepseg_train.losses.voxel_loss import Answer, Reference, VoxelLoss


class GeneralisedDiceLoss(VoxelLoss):
    """1 - one Dice of all channels, the background's too, each weighted by 1 / its true volume squared (Sudre et al. 2017, arXiv:1707.03237).

    A label that the batch lacks has the weight of the smallest that is there.
    """

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        true, predicted = volumes_of(reference.one_hot), volumes_of(answer.probabilities)
        present = true > 0
        smallest = torch.where(present, true, torch.inf).amin()
        # The smallest label's weight is 1, not 1 / voxels squared, so that the smoothing stays small beside the volumes.
        weights = torch.where(present, smallest / true, 1.0) ** 2
        intersections = (weights * volumes_of(answer.probabilities * reference.one_hot)).sum()
        return 1 - (2 * intersections + SMOOTHING) / ((weights * (predicted + true)).sum() + SMOOTHING)
