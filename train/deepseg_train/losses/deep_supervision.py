"""The loss of a network with several heads."""

from __future__ import annotations

import torch
from torch import nn

from deepseg_train.errors import ConfigError
from deepseg_train.losses.combined import CombinedLoss
from deepseg_train.losses.settings import LossSettings
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing


class DeepSupervisionLoss(nn.Module):
    """A combined loss at every head; where no weights are given each head has half the weight of the one before (Isensee et al. 2021).

    `forward(heads, target)`: heads (N, H, L, I, J, K) logits, all on the full grid, finest first; target int64 (N, 1, I, J, K).
    """

    def __init__(self, settings: LossSettings | None = None, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`settings`: None for cross-entropy and Dice; `spacing_mm`: of the model's grid along I, J, K."""
        super().__init__()
        self.settings = settings or LossSettings()
        self.head_loss = CombinedLoss(self.settings, spacing_mm=spacing_mm)

    def at_epoch(self, epoch: int) -> None:
        """To be told when an epoch begins, the first is 0: some terms are phased in."""
        self.head_loss.at_epoch(epoch)

    def forward(self, heads: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss, a scalar.

        Raises:
            ConfigError: the config weights another number of heads.
        """
        loss = self.head_loss
        reference = Reference(target, heads[:, 0], loss.spacing_mm)
        weights = head_weights(heads.shape[1], self.settings.head_weights)
        losses = [
            # A head without weight has a gradient all the same, of zeros: processes that train together wait for every one.
            weight * loss.of(Answer(head), reference) if weight else 0 * head.sum()
            for weight, head in zip(weights, heads.unbind(1), strict=True)
        ]
        return torch.stack(losses).sum()


def head_weights(heads: int, given: tuple[float, ...] | None) -> list[float]:
    """Weights of heads, finest first, with a sum of 1.

    Raises:
        ConfigError: not as many are given as there are heads.
    """
    if given is not None and len(given) != heads:
        raise ConfigError(f"loss.head_weights has {len(given)} numbers, but the network has {heads} heads; give one each, finest first.")
    weights = [0.5**n for n in range(heads)] if given is None else list(given)
    return [weight / sum(weights) for weight in weights]
