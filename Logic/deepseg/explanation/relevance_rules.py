"""Rules by which layers hand relevance back.

Bach et al. 2015, doi:10.1371/journal.pone.0130140; Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10.

Each layer's output is written as something linear in its inputs, times a factor that is held fixed. The gradient of that, times the input, is the
relevance: what a layer's inputs get adds up to what its outputs had. Only the shift that a norm adds to what it computed from the image itself is
nobody's, and its share does not arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import nn

from deepseg.errors import ExplanationError

GAMMA = 0.1
"""How much more what agrees with an output's sign counts than what contradicts it: enough for maps without noise."""
_STABILISER = 1e-6

_LINEAR = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm)
_HELD = (nn.GELU, nn.SiLU, nn.ELU, nn.Mish, nn.Hardswish, nn.BatchNorm2d, nn.BatchNorm3d)
"""Activations that are not straight on both sides of 0; and batch norms, whose shift goes to the inputs then, as if they were part of the convolution
before them (Motzkus et al. 2022, arXiv:2202.06621)."""
_AS_THEY_ARE = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Dropout, nn.Dropout2d, nn.Dropout3d, nn.Identity, nn.MaxPool2d, nn.MaxPool3d)
_AS_THEY_ARE += (nn.AvgPool2d, nn.AvgPool3d, nn.Upsample, nn.PixelShuffle, nn.ConstantPad2d, nn.ConstantPad3d)
_CONTAINERS = (nn.Sequential, nn.ModuleList)
"""Which compute nothing themselves; one of a short cut may be empty."""
_CANCELLING = "MedNeXtBlock"
"""Its convolutions follow each other without an activation, so that parts that cancel each other grow from layer to layer: with random weights to
1e8 times what they add up to, which is no map of anything."""


@contextmanager
def relevance_rules(network: nn.Module) -> Iterator[None]:
    """While the block runs, the network's gradient times its input is relevance; its answers stay what they are.

    Raises:
        ExplanationError: there is no rule for one of its layers.
    """
    with ExitStack() as undo:
        for name, part in network.named_modules():
            rule = _rule_for(part)
            if rule is None:
                if _computes_by_itself(part):
                    raise ExplanationError(
                        f"There is no rule of relevance for the network's layer '{name}' ({type(part).__name__}). Choose another method."
                    )
                continue
            undo.callback(part.__dict__.pop, "forward", None)
            part.forward = rule
        yield


def _rule_for(part: nn.Module) -> Callable[[torch.Tensor], torch.Tensor] | None:
    if isinstance(part, _LINEAR):
        return partial(_linear, part)
    if isinstance(part, _NORMS):
        return partial(_norm, part)
    if isinstance(part, _HELD):
        return partial(_held, type(part).forward.__get__(part))
    return type(part).forward.__get__(part) if isinstance(part, _AS_THEY_ARE) else None


def _computes_by_itself(part: nn.Module) -> bool:
    """Whether a part without a rule is more than its parts."""
    if any(kind.__name__ == _CANCELLING for kind in type(part).__mro__):
        return True
    return not list(part.children()) and not isinstance(part, _CONTAINERS)


def _linear(layer: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """The gamma rule for inputs of either sign; the bias's relevance goes to the inputs, too."""
    plain = _with(layer, values, layer.weight)
    output = plain if layer.bias is None else plain + layer.bias.reshape(-1, *[1] * (values.ndim - 2))
    with torch.no_grad():
        positive = plain > 0
    above, below, more, less = values.clamp_min(0), values.clamp_max(0), layer.weight.clamp_min(0), layer.weight.clamp_max(0)
    agreeing = torch.where(positive, _with(layer, above, more) + _with(layer, below, less), _with(layer, above, less) + _with(layer, below, more))
    shared = plain + GAMMA * agreeing
    return _times(shared, output)


def _with(layer: nn.Module, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The layer without bias and with other weights."""
    if isinstance(layer, (nn.ConvTranspose2d, nn.ConvTranspose3d)):
        call = nn.functional.conv_transpose2d if isinstance(layer, nn.ConvTranspose2d) else nn.functional.conv_transpose3d
        return call(values, weight, None, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
    return layer._conv_forward(values, weight, None)


def _norm(layer: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """What is normalised by is held fixed (Ali et al. 2022, arXiv:2202.07304); the mean is not, and the shift has no part in the inputs."""
    groups = layer.num_groups if isinstance(layer, nn.GroupNorm) else values.shape[1]
    grouped = values.unflatten(1, (groups, -1))
    axes = tuple(range(2, grouped.ndim))
    centred = grouped - grouped.mean(axes, keepdim=True)
    spread = (centred.detach().square().mean(axes, keepdim=True) + layer.eps).sqrt()
    result = (centred / spread).flatten(1, 2)
    if getattr(layer, "weight", None) is None:
        return result
    shape = (-1, *[1] * (values.ndim - 2))
    return result * layer.weight.reshape(shape) + layer.bias.reshape(shape)


def _held(forward: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor) -> torch.Tensor:
    # A copy, because a layer may write into its input.
    return _times(values, forward(values.clone()))


def _times(linear: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """`output`, as `linear` times a factor that is held fixed."""
    with torch.no_grad():
        factor = output / (linear + torch.where(linear < 0, -_STABILISER, _STABILISER))
    return linear * factor
