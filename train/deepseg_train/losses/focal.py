"""Focal loss."""

from __future__ import annotations

import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss


class FocalLoss(VoxelLoss):
    """Cross-entropy, each voxel's part times (1 - p)^gamma, p the probability of what is true there (Lin et al. 2017, arXiv:1708.02002)."""

    def __init__(self, gamma: float = 2.0, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`gamma`: how much less voxels count that are right already; 0 makes it cross-entropy.

        Raises:
            ConfigError: gamma is negative.
        """
        super().__init__(spacing_mm=spacing_mm)
        if gamma < 0:
            raise ConfigError(f"gamma is {gamma}; expected at least 0.")
        self.gamma = gamma

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        likelihood = answer.log_likelihood(reference)
        # 1 - p without cancellation; never 0, where a power below 1 has no slope.
        missing = -torch.expm1(likelihood).clamp_max(-(torch.finfo(likelihood.dtype).eps ** 2))
        return -(missing**self.gamma * likelihood).mean()
