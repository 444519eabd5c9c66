"""A DynUNet that drops whole channels where that tells most of its doubt: at the bottleneck and on either side of it.

Kendall et al. 2017, arXiv:1511.02680; whole channels, as neighbouring voxels stand in for each other: Tompson et al. 2015, arXiv:1411.4280.
"""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.layers.factories import Dropout
from monai.networks.nets import DynUNet
from torch import nn


class ChannelDropoutDynUNet(DynUNet):
    """MONAI's `DynUNet`, with its answers and weights; only `dropout` means something else.

    There, it drops single voxels after each convolution, those of the logits included. Here, channels of the last block on the way down, of the
    bottleneck and of the first block on the way up.
    """

    def __init__(self, dropout: float, **kwargs: Any) -> None:
        """`dropout` is the share of channels; `kwargs` are those of a DynUNet."""
        super().__init__(**kwargs)
        for block in (self.downsamples[-1], self.bottleneck, self.upsamples[0]):
            block.add_module("channel_dropout", Dropout["DROPOUT", self.spatial_dims](dropout))
            # A hook, because a layer around the block would change the names of its weights.
            block.register_forward_hook(_drop_channels)


def _drop_channels(block: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return block.channel_dropout(output)
