"""nnU-Net's U-Net with a residual encoder (Isensee et al. 2024, arXiv:2404.09556), whose blocks are those of ResNet-D (He et al. 2019)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from deepseg.networks.unet_parts import Decoder, Encoder, Recipe, UNet, per_stage


class ResidualBlock(nn.Module):
    """Two convolutions beside a short cut, which averages where there is a stride and convolves where the number of channels changes."""

    def __init__(self, recipe: Recipe, entering: int, leaving: int, kernel: int | Sequence[int], stride: int | Sequence[int]) -> None:
        super().__init__()
        self.conv1 = recipe.conv(entering, leaving, kernel, stride)
        self.conv2 = recipe.conv(leaving, leaving, kernel, bare=True)
        strides = recipe.along_axes(stride)
        shortcut = [recipe.average(strides)] if set(strides) != {1} else []
        if entering != leaving:
            shortcut.append(recipe.conv(entering, leaving, 1, bare=True, bias=False))
        self.skip = nn.Sequential(*shortcut)
        self.nonlin2 = recipe.activation()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.nonlin2(self.conv2(self.conv1(values)) + self.skip(values))


def build_residual_encoder_unet(
    *,
    input_channels: int,
    num_classes: int,
    n_stages: int,
    features_per_stage: int | Sequence[int],
    kernel_sizes: Any,
    strides: Any,
    n_blocks_per_stage: int | Sequence[int],
    n_conv_per_stage_decoder: int | Sequence[int],
    stem_channels: int | None = None,
    deep_supervision: bool = False,
    **recipe: Any,
) -> nn.Module:
    """Settings have nnU-Net's names; `recipe` are those of `Recipe`, layers by PyTorch's name of their class."""
    made_of = Recipe(**recipe)
    features, kernels, steps = (per_stage(value, n_stages) for value in (features_per_stage, kernel_sizes, strides))
    stem = made_of.stack(1, input_channels, stem_channels or features[0], kernels[0])
    entering = [stem_channels or features[0], *features]
    stages = []
    for n, count in enumerate(per_stage(n_blocks_per_stage, n_stages)):
        first = ResidualBlock(made_of, entering[n], features[n], kernels[n], steps[n])
        others = [ResidualBlock(made_of, features[n], features[n], kernels[n], 1) for _ in range(count - 1)]
        stages.append(nn.Sequential(OrderedDict(blocks=nn.Sequential(first, *others))))
    decoder = Decoder(made_of, features, kernels, steps, per_stage(n_conv_per_stage_decoder, n_stages - 1), num_classes, deep_supervision)
    return UNet(Encoder(stages, stem), decoder)
