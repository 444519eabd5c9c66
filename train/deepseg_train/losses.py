"""Training losses."""

from __future__ import annotations

import torch
from monai.losses import DiceCELoss
from torch import nn


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
