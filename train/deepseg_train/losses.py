"""Training losses."""

from __future__ import annotations

import math

import torch
from monai.losses import DiceCELoss
from torch import nn

from deepseg.uncertainty.logit_noise import deviations


class DeepSupervisionLoss(nn.Module):
    """Dice + cross-entropy at every head, each head with half the weight of the one before (Isensee et al. 2021).

    `forward(heads, target)`: heads (N, H, L, I, J, K) logits, all on the full grid; target int64 (N, 1, I, J, K).
    """

    def __init__(self) -> None:
        super().__init__()
        # Dice over the whole batch: a patch without a label then gives no jumps.
        self.head_loss = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)

    def forward(self, heads: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        weights = [0.5**n for n in range(heads.shape[1])]
        losses = [w * self.head_loss(head, target) for w, head in zip(weights, heads.unbind(1), strict=True)]
        return torch.stack(losses).sum() / sum(weights)


class NoisyLogitsLoss(nn.Module):
    """For a network that learns the noise of its logits: the loss of its heads, plus cross-entropy of the finest one's probabilities without noise
    (Kendall and Gal 2017, arXiv:1703.04977, equation 12).

    `forward(heads, target)`: heads as in `DeepSupervisionLoss`, followed by one more array that tells the deviations.
    """

    _DRAWS = 5

    def __init__(self) -> None:
        super().__init__()
        self.of_heads = DeepSupervisionLoss()

    def forward(self, heads: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        logits, width = heads[:, 0], deviations(heads[:, -1])
        drawn = torch.stack([(logits + width * torch.randn_like(logits)).log_softmax(1).gather(1, target) for _ in range(self._DRAWS)])
        without_noise = -(drawn.logsumexp(0) - math.log(self._DRAWS)).mean()
        return self.of_heads(heads[:, :-1], target) + without_noise
