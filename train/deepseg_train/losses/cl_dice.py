"""Centreline Dice."""

from __future__ import annotations

import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.skeletons import soft_skeleton
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss

_SMOOTHING = 1.0


class ClDiceLoss(VoxelLoss):
    """1 - harmonic mean of how much of the predicted skeleton lies in the label and how much of the true skeleton is predicted; mean over images and
    labels without the background (Shit et al. 2021, arXiv:2003.07311).

    It keeps thin structures connected; use it beside an overlap loss, for it does not see how thick they are.
    """

    def __init__(self, iterations: float = 3, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`iterations`: erosions until only skeletons are left; the radius in voxels of the thickest structure.

        Raises:
            ConfigError: iterations is not a whole number, or negative.
        """
        super().__init__(spacing_mm=spacing_mm)
        if iterations < 0 or iterations != int(iterations):
            raise ConfigError(f"iterations is {iterations}; expected a whole number that is not negative.")
        self.iterations = int(iterations)

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        predicted, true = answer.foreground, reference.masks
        precision = _share(soft_skeleton(predicted, self.iterations), true)
        sensitivity = _share(reference.skeletons(self.iterations), predicted)
        return 1 - (2 * precision * sensitivity / (precision + sensitivity)).mean()


def _share(skeletons: torch.Tensor, structures: torch.Tensor) -> torch.Tensor:
    """How much of each skeleton lies in its structure, (N, F), of two arrays (N, F, I, J, K)."""
    return ((skeletons * structures).sum((2, 3, 4)) + _SMOOTHING) / (skeletons.sum((2, 3, 4)) + _SMOOTHING)
