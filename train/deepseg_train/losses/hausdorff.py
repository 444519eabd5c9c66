"""Hausdorff loss by distance transforms."""

from __future__ import annotations

import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.distances import signed_distances
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss


class HausdorffLoss(VoxelLoss):
    """Squared errors x (distance from the true boundary^alpha + distance from the predicted one^alpha), in mm, mean over voxels and labels without
    the background (Karimi and Salcudean 2019, arXiv:1904.10030, equation 8).

    The predicted boundary lies where the probability is half. It is found anew at each step and head, on the processor unless cuCIM is installed,
    which takes longer than all other losses.
    """

    def __init__(self, alpha: float = 2.0, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`alpha`: how much more distant mistakes count.

        Raises:
            ConfigError: alpha is not more than 0.
        """
        super().__init__(spacing_mm=spacing_mm)
        if not alpha > 0:
            raise ConfigError(f"alpha is {alpha}; expected more than 0.")
        self.alpha = alpha

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        predicted = signed_distances(answer.foreground.detach(), reference.spacing_mm)
        factors = predicted.abs() ** self.alpha + reference.distances.abs() ** self.alpha
        return ((answer.foreground - reference.masks) ** 2 * factors).mean()
