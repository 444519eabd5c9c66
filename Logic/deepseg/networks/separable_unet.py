"""A light U-Net for processors: convolutions taken apart into one for each channel and one across channels.

Sifre and Mallat 2014; Howard et al. 2017, arXiv:1704.04861.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers.factories import Conv, Dropout
from monai.networks.layers.utils import get_act_layer, get_norm_layer
from torch import nn


class SeparableUNet(nn.Module):
    """Input (N, C, ...) to logits (N, L, ...). In training mode with `deep_supervision` (N, heads, L, ...), fine to coarse, all on the full grid.

    The finest stage has the fewest channels, where a U-Net spends most of its time; ways down and up are added up and not joined.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        strides: Sequence[int | Sequence[int]],
        norm: Any = ("INSTANCE", {"affine": True}),
        act: Any = ("LEAKYRELU", {"inplace": True, "negative_slope": 0.01}),
        dropout: float = 0.0,
        deep_supervision: bool = False,
        heteroscedastic: bool = False,
    ) -> None:
        """Settings in JSON types.

        Args:
            spatial_dims: 2 or 3.
            in_channels, out_channels: of image and logits.
            channels: of the stages from fine to coarse, at least three.
            strides: from each stage to the next, one fewer.
            norm, act: MONAI's name of a layer, or the name and its arguments.
            dropout: share of whole channels dropped at the coarsest stage and those on either side of it, where it tells most of the network's doubt
                (Kendall et al. 2017, arXiv:1511.02680) and neighbouring voxels do not stand in for each other (Tompson et al. 2015, arXiv:1411.4280).
            deep_supervision: the decoder's coarser stages give logits, too.
            heteroscedastic: it learns how noisy its logits are; `spread_block` tells it, and is the last head in training mode.

        Raises:
            ValueError: the numbers of stages and strides do not fit.
        """
        super().__init__()
        if len(channels) < 3 or len(strides) != len(channels) - 1:
            raise ValueError(f"{len(channels)} stages and {len(strides)} strides; expected three stages or more and one stride fewer")
        made = {"spatial_dims": spatial_dims, "norm": norm, "act": act}
        deepest = len(channels) - 1
        self.stem = Convolution(spatial_dims, in_channels, channels[0], norm=norm, act=act, adn_ordering="NA", bias=False)
        self.encoder = nn.ModuleList(
            Stage(channels[n - 1], channels[n], strides[n - 1], dropout=dropout if n == deepest - 1 else 0.0, **made) for n in range(1, deepest)
        )
        self.bottleneck = Stage(channels[-2], channels[-1], strides[-1], dropout=dropout, **made)
        transposed, plain = Conv["CONVTRANS", spatial_dims], Conv["CONV", spatial_dims]
        upwards = [tuple(stride) if isinstance(stride, Sequence) else stride for stride in strides]
        self.upwards = nn.ModuleList(transposed(channels[n + 1], channels[n], upwards[n], upwards[n]) for n in reversed(range(deepest)))
        self.decoder = nn.ModuleList(
            SeparableConv(channels[n], channels[n], residual=True, dropout=dropout if n == deepest - 1 else 0.0, **made)
            for n in reversed(range(deepest))
        )
        self.output_block = plain(channels[0], out_channels, 1)
        coarser = range(1, deepest) if deep_supervision else ()
        self.deep_supervision_heads = nn.ModuleList(plain(channels[n], out_channels, 1) for n in coarser)
        self.spread_block = plain(channels[0], out_channels, 1) if heteroscedastic else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = self.stem(images)
        found = [values]
        for stage in self.encoder:
            values = stage(values)
            found.append(values)
        values = self.bottleneck(values)
        heads = list(self.deep_supervision_heads)
        coarser: list[torch.Tensor] = []
        for upwards, stage in zip(self.upwards, self.decoder, strict=True):
            values = stage(upwards(values) + found.pop())
            if len(found) in range(1, len(heads) + 1):
                # In evaluation too, as samples of the answer; they cost next to nothing.
                coarser.insert(0, heads[len(found) - 1](values))
        logits = self.output_block(values)
        spread = [] if self.spread_block is None else [self.spread_block(values)]
        if not self.training or not (coarser or spread):
            return logits
        fine = [nn.functional.interpolate(head, logits.shape[2:]) for head in coarser]
        return torch.stack([logits, *fine, *spread], 1)


class SeparableConv(nn.Module):
    """A convolution of each channel alone, one across channels, norm and activation; `residual` adds the result to the input."""

    def __init__(
        self,
        entering: int,
        leaving: int,
        stride: int | Sequence[int] = 1,
        *,
        spatial_dims: int,
        norm: Any,
        act: Any,
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        conv = Conv["CONV", spatial_dims]
        strides = tuple(stride) if isinstance(stride, Sequence) else stride
        self.depthwise = conv(entering, entering, 3, strides, 1, groups=entering, bias=False)
        self.pointwise = conv(entering, leaving, 1, bias=False)
        self.norm = get_norm_layer(norm, spatial_dims, leaving)
        self.act = get_act_layer(act)
        self.dropout = Dropout["DROPOUT", spatial_dims](dropout) if dropout else nn.Identity()
        self.residual = residual

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        answer = self.dropout(self.act(self.norm(self.pointwise(self.depthwise(values)))))
        return values + answer if self.residual else answer


class Stage(nn.Sequential):
    """A separable convolution that goes down by the stride, and one beside a short cut."""

    def __init__(self, entering: int, leaving: int, stride: int | Sequence[int], *, dropout: float, **made: Any) -> None:
        super().__init__(SeparableConv(entering, leaving, stride, **made), SeparableConv(leaving, leaving, residual=True, dropout=dropout, **made))
