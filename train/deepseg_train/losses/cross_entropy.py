"""Cross-entropy."""

from __future__ import annotations

import torch

from deepseg_train.losses.voxel_loss import Answer, Reference, VoxelLoss


class CrossEntropyLoss(VoxelLoss):
    """Minus the mean log-probability of each voxel's label."""

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        return -answer.log_likelihood(reference).mean()
