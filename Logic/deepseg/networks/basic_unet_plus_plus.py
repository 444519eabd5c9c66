"""UNet++ (Zhou et al. 2018, arXiv:1807.10165) as MONAI builds it, with the answer of its whole depth first."""

from __future__ import annotations

import torch
from monai.networks import nets


class BasicUNetPlusPlus(nets.BasicUNetPlusPlus):
    """MONAI's network and weights. MONAI's answers begin with that of the shallowest of its U-Nets.

    In training mode with `deep_supervision` the output is (N, heads, L, ...), from deep to shallow; else it is that of the deepest, (N, L, ...).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answers = super().forward(x)[::-1]
        return torch.stack(answers, 1) if self.training and self.deep_supervision else answers[0]
