"""Cross-entropy and Dice in one."""

from __future__ import annotations

import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.cross_entropy import CrossEntropyLoss
from deepseg_train.losses.dice import DiceLoss
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss


class DiceCrossEntropyLoss(VoxelLoss):
    """alpha x cross-entropy + beta x Dice loss (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, with 1 and 1)."""

    def __init__(self, alpha: float = 1.0, beta: float = 1.0, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`alpha`, `beta`: weights of cross-entropy and of Dice.

        Raises:
            ConfigError: one is negative, or both are 0.
        """
        super().__init__(spacing_mm=spacing_mm)
        if min(alpha, beta) < 0 or not alpha + beta > 0:
            raise ConfigError(f"alpha is {alpha} and beta {beta}; expected numbers that are not negative, and one that is more than 0.")
        self.alpha, self.beta = alpha, beta
        self.cross_entropy, self.dice = CrossEntropyLoss(), DiceLoss()

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        return self.alpha * self.cross_entropy.of(answer, reference) + self.beta * self.dice.of(answer, reference)
