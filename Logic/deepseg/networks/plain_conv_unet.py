"""nnU-Net's first U-Net: plain convolutions, strided ones to go down (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from deepseg.networks.unet_parts import Decoder, Encoder, Recipe, UNet, per_stage


def build_plain_conv_unet(
    *,
    input_channels: int,
    num_classes: int,
    n_stages: int,
    features_per_stage: int | Sequence[int],
    kernel_sizes: Any,
    strides: Any,
    n_conv_per_stage: int | Sequence[int],
    n_conv_per_stage_decoder: int | Sequence[int],
    deep_supervision: bool = False,
    **recipe: Any,
) -> nn.Module:
    """Settings have nnU-Net's names; `recipe` are those of `Recipe`, layers by PyTorch's name of their class."""
    made_of = Recipe(**recipe)
    features, kernels, steps = (per_stage(value, n_stages) for value in (features_per_stage, kernel_sizes, strides))
    counts = per_stage(n_conv_per_stage, n_stages)
    entering = [input_channels, *features]
    stages = [nn.Sequential(made_of.stack(counts[n], entering[n], features[n], kernels[n], steps[n])) for n in range(n_stages)]
    decoder = Decoder(made_of, features, kernels, steps, per_stage(n_conv_per_stage_decoder, n_stages - 1), num_classes, deep_supervision)
    return UNet(Encoder(stages), decoder)
