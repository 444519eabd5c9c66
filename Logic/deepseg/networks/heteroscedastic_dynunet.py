"""A DynUNet that learns, beside its logits, how noisy each of them is (Kendall and Gal 2017, arXiv:1703.04977)."""

from __future__ import annotations

import torch
from monai.networks.blocks.dynunet_block import UnetOutBlock
from monai.networks.nets import DynUNet
from torch import nn


class HeteroscedasticDynUNet(DynUNet):
    """MONAI's `DynUNet` with a second output block on the last features.

    In evaluation mode the output is that of a DynUNet, logits (N, L, I, J, K); what `spread_block` gives there tells
    their standard deviations (`uncertainty.logit_noise`).
    In training mode it is (N, heads + 1, L, I, J, K): the heads' logits as a DynUNet's, then the spread block's output.
    Parameters have a DynUNet's names and shapes but for those of the spread block, so a trained DynUNet's weights can be gone on with.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.spread_block = UnetOutBlock(self.spatial_dims, self.filters[0], self.out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.skip_layers(x)
        logits, spread = self.output_block(features), self.spread_block(features)
        if not self.training:
            return logits
        coarser = self.heads if self.deep_supervision else []
        return torch.stack([logits, *(nn.functional.interpolate(head, logits.shape[2:]) for head in coarser), spread], 1)
