"""Boundary loss."""

from __future__ import annotations

import torch

from deepseg_train.losses.voxel_loss import Answer, Reference, VoxelLoss


class BoundaryLoss(VoxelLoss):
    """Probability x signed distance in mm from the true boundary, mean over voxels and labels without the background (Kervadec et al. 2019,
    arXiv:1812.07032): a mistake costs more the farther off it is.

    Negative where the answer is good. Phase it in beside an overlap loss (`warm_in_epochs`); alone it is content with an empty answer.
    """

    may_be_negative = True

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        return (answer.foreground * reference.distances).mean()
