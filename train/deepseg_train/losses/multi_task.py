"""Several losses at once, weighted by what is learned about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn


class LearnedWeights(nn.Module):
    """Weights losses L by their learned log-variances s: the sum of exp(-s) L + s / 2 (Kendall et al. 2018, arXiv:1705.07115).

    A loss that stays large gets less weight; the second part keeps weights from vanishing. For losses that are not negative: at its best,
    s = ln(2 L). Train its parameter without weight decay, which would pull all weights towards 1.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        # One parameter, so that it always takes part, also while a loss is not there yet.
        self.log_variances = nn.Parameter(torch.zeros(len(self.names)))

    def forward(self, losses: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Each loss (a scalar, by name; some may be missing) weighted."""
        logs = dict(zip(self.names, self.log_variances.unbind(), strict=True))
        return {name: torch.exp(-logs[name]) * loss + logs[name] / 2 for name, loss in losses.items()}

    @property
    def weights(self) -> dict[str, float]:
        """What each loss is multiplied by now."""
        return dict(zip(self.names, torch.exp(-self.log_variances.detach()).tolist(), strict=True))
