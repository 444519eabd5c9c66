"""Tversky loss."""

from __future__ import annotations

import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.overlap import SMOOTHING, volumes_of
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss


class TverskyLoss(VoxelLoss):
    """1 - TP / (TP + alpha FP + beta FN) of the whole batch, the mean over labels without the background (Salehi et al. 2017, arXiv:1706.05721).

    Halves for both make it Dice; beta above alpha favours sensitivity.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`alpha`, `beta`: weights of voxels found wrongly and of voxels missed.

        Raises:
            ConfigError: one is negative, or both are 0.
        """
        super().__init__(spacing_mm=spacing_mm)
        if min(alpha, beta) < 0 or not alpha + beta > 0:
            raise ConfigError(f"alpha is {alpha} and beta {beta}; expected numbers that are not negative, and one that is more than 0.")
        self.alpha, self.beta = alpha, beta

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        found = volumes_of(answer.foreground * reference.masks)
        wrong, missed = volumes_of(answer.foreground) - found, reference.volumes - found
        return 1 - ((found + SMOOTHING) / (found + self.alpha * wrong + self.beta * missed + SMOOTHING)).mean()
