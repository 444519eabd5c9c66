"""What nnU-Net's U-Nets are made of. Parts bear the names under which nnU-Net stores their weights, each weight once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from deepseg.networks.heads import heads_of

LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        *(nn.Conv2d, nn.InstanceNorm2d, nn.BatchNorm2d, nn.Dropout2d),
        *(nn.Conv3d, nn.InstanceNorm3d, nn.BatchNorm3d, nn.Dropout3d, nn.Dropout),
        *(nn.LeakyReLU, nn.ReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU),
    )
}
"""PyTorch's layers that the settings of a network may name."""

_TRANSPOSED = {"Conv2d": nn.ConvTranspose2d, "Conv3d": nn.ConvTranspose3d}
_AVERAGE = {"Conv2d": nn.AvgPool2d, "Conv3d": nn.AvgPool3d}


@dataclass(frozen=True)
class Recipe:
    """Which layers follow each convolution; names are keys of `LAYERS`, None leaves a layer out.

    Attributes:
        conv_op: 'Conv2d' or 'Conv3d'.
        conv_bias: whether convolutions have a bias.
        norm_op, dropout_op, nonlin: the layers, each with its arguments.
        nonlin_first: the activation comes before the normalisation.
    """

    conv_op: str
    conv_bias: bool = False
    norm_op: str | None = None
    norm_op_kwargs: dict[str, Any] | None = field(default=None)
    dropout_op: str | None = None
    dropout_op_kwargs: dict[str, Any] | None = field(default=None)
    nonlin: str | None = None
    nonlin_kwargs: dict[str, Any] | None = field(default=None)
    nonlin_first: bool = False

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return {"Conv2d": 2, "Conv3d": 3}[self.conv_op]

    def activation(self) -> nn.Module:
        return LAYERS[self.nonlin](**(self.nonlin_kwargs or {})) if self.nonlin else nn.Identity()

    def conv(
        self,
        entering: int,
        leaving: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        *,
        bare: bool = False,
        bias: bool | None = None,
    ) -> nn.Sequential:
        """A convolution with what follows it; `bare`: with the normalisation alone. A window keeps its size but for the stride."""
        kernel, stride = self.along_axes(kernel), self.along_axes(stride)
        bias = self.conv_bias if bias is None else bias
        parts = OrderedDict(conv=LAYERS[self.conv_op](entering, leaving, kernel, stride, [(side - 1) // 2 for side in kernel], bias=bias))
        if self.dropout_op and not bare:
            parts["dropout"] = LAYERS[self.dropout_op](**(self.dropout_op_kwargs or {}))
        if self.norm_op:
            parts["norm"] = LAYERS[self.norm_op](leaving, **(self.norm_op_kwargs or {}))
        if self.nonlin and not bare:
            parts["nonlin"] = self.activation()
            if self.nonlin_first and self.norm_op:
                parts.move_to_end("norm")
        return nn.Sequential(parts)

    def stack(self, count: int, entering: int, leaving: int, kernel: int | Sequence[int], stride: int | Sequence[int] = 1) -> nn.Sequential:
        """`count` convolutions one after the other, the first with the stride."""
        convs = [self.conv(leaving if n else entering, leaving, kernel, 1 if n else stride) for n in range(count)]
        return nn.Sequential(OrderedDict(convs=nn.Sequential(*convs)))

    def upwards(self, entering: int, leaving: int, stride: int | Sequence[int]) -> nn.Module:
        """The transposed convolution that undoes a stride."""
        stride = self.along_axes(stride)
        return _TRANSPOSED[self.conv_op](entering, leaving, stride, stride, bias=self.conv_bias)

    def average(self, stride: Sequence[int]) -> nn.Module:
        return _AVERAGE[self.conv_op](stride, stride)

    def along_axes(self, value: int | Sequence[int]) -> list[int]:
        """One number for each axis."""
        return [value] * self.dimensions if isinstance(value, int) else list(value)


class Encoder(nn.Module):
    """Stages from fine to coarse; gives what each of them gives."""

    def __init__(self, stages: Sequence[nn.Module], stem: nn.Module | None = None) -> None:
        super().__init__()
        self.stem = stem or nn.Identity()
        self.stages = nn.Sequential(*stages)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        found, values = [], self.stem(images)
        for stage in self.stages:
            values = stage(values)
            found.append(values)
        return found


class Decoder(nn.Module):
    """Back from coarse to fine; the logits are those of the finest stage.

    The coarser stages have layers for logits too, which nnU-Net trains (deep supervision) and does not need afterwards. They are kept, so that
    the weights stay whole. In training mode with `deep_supervision` the output is (N, heads, L, ...), from fine to coarse, all on the full grid.
    """

    def __init__(
        self,
        recipe: Recipe,
        features: Sequence[int],
        kernels: Sequence[Any],
        strides: Sequence[Any],
        counts: Sequence[int],
        num_classes: int,
        deep_supervision: bool = False,
    ) -> None:
        """The first four describe the encoder's stages, `counts` the convolutions of each stage here, coarse to fine."""
        super().__init__()
        self.deep_supervision = deep_supervision
        stages, upwards, logits = [], [], []
        for count, stage in zip(counts, reversed(range(len(features) - 1)), strict=True):
            upwards.append(recipe.upwards(features[stage + 1], features[stage], strides[stage + 1]))
            stages.append(recipe.stack(count, 2 * features[stage], features[stage], kernels[stage]))
            logits.append(LAYERS[recipe.conv_op](features[stage], num_classes, 1))
        self.stages, self.transpconvs, self.seg_layers = nn.ModuleList(stages), nn.ModuleList(upwards), nn.ModuleList(logits)

    def forward(self, found: Sequence[torch.Tensor]) -> torch.Tensor:
        *finer, values = found
        answers: list[torch.Tensor] = []
        for stage, upwards, layer, beside in zip(self.stages, self.transpconvs, self.seg_layers, reversed(finer), strict=True):
            values = stage(torch.cat((upwards(values), beside), 1))
            if self.training and self.deep_supervision:
                answers.insert(0, layer(values))
        return heads_of(answers, len(values.shape) - 2) if answers else self.seg_layers[-1](values)


class UNet(nn.Module):
    """Input (N, C, ...) to logits (N, L, ...)."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(images))


def per_stage(value: Any, count: int) -> list[Any]:
    """One entry for each stage of a setting that may be one number for all of them.

    Raises:
        ValueError: another number of entries.
    """
    entries = [value] * count if isinstance(value, int) else list(value)
    if len(entries) != count:
        raise ValueError(f"{len(entries)} entries for {count} stages")
    return entries
