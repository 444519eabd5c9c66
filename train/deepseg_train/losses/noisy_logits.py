"""The loss of a network that learns the noise of its logits."""

from __future__ import annotations

import math

import torch
from torch import nn

from deepseg.uncertainty.logit_noise import deviations
from deepseg_train.losses.deep_supervision import DeepSupervisionLoss
from deepseg_train.losses.settings import LossSettings
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing


class NoisyLogitsLoss(nn.Module):
    """For a network that learns the noise of its logits: the loss of its heads, plus cross-entropy of the finest one's probabilities without noise
    (Kendall and Gal 2017, arXiv:1703.04977, equation 12).

    `forward(heads, target)`: heads as in `DeepSupervisionLoss`, followed by one more array that tells the deviations.
    """

    _DRAWS = 5

    def __init__(self, settings: LossSettings | None = None, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """Arguments as of `DeepSupervisionLoss`."""
        super().__init__()
        self.of_heads = DeepSupervisionLoss(settings, spacing_mm=spacing_mm)

    def at_epoch(self, epoch: int) -> None:
        """To be told when an epoch begins, the first is 0: some terms are phased in."""
        self.of_heads.at_epoch(epoch)

    def forward(self, heads: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = self.of_heads.head_loss
        logits, width = heads[:, 0], deviations(heads[:, -1])
        reference = Reference(target, logits, loss.spacing_mm)
        noisy = (Answer(logits + width * torch.randn_like(logits)) for _ in range(self._DRAWS))
        drawn = torch.stack([answer.log_likelihood(reference) for answer in noisy])
        without_noise = -(drawn.logsumexp(0) - math.log(self._DRAWS)).mean()
        return self.of_heads(heads[:, :-1], target) + without_noise
