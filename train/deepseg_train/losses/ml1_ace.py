"""A loss that makes probabilities mean what they say."""

from __future__ import annotations

import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss


class MarginalCalibrationLoss(VoxelLoss):
    """Marginal L1 average calibration error, mL1-ACE (Barfoot et al. 2024, arXiv:2403.06759).

    In each image and channel, the background's too, voxels are put in bins of equal width by their probability; the loss is how far the mean
    probability of a bin is from the share of its voxels that are of the channel's label, mean over the bins that are not empty, then over images and
    channels. Voxels keep their bins while the slope is taken. Use it beside an overlap loss: an answer can be calibrated and useless.
    """

    def __init__(self, bins: float = 20, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`bins`: how many.

        Raises:
            ConfigError: bins is not a whole number of at least 2.
        """
        super().__init__(spacing_mm=spacing_mm)
        if bins < 2 or bins != int(bins):
            raise ConfigError(f"bins is {bins}; expected a whole number of at least 2.")
        self.bins = int(bins)

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        probabilities = answer.probabilities.flatten(2)
        images, channels, _ = probabilities.shape
        first = torch.arange(images * channels, device=probabilities.device).reshape(images, channels, 1) * self.bins
        of_voxels = (first + (probabilities.detach() * self.bins).long().clamp_(0, self.bins - 1)).flatten()
        counts = torch.bincount(of_voxels, minlength=images * channels * self.bins).reshape(images, channels, self.bins)
        excess = (probabilities - reference.one_hot.flatten(2)).flatten()
        gaps = torch.zeros_like(counts.flatten(), dtype=excess.dtype).index_add(0, of_voxels, excess).reshape(counts.shape).abs()
        return ((gaps / counts.clamp_min(1)).sum(2) / (counts > 0).sum(2)).mean()
