"""How weights are stored: in a float type, or as 8-bit integers with a scale a convolution kernel, which is a quarter of float32; and back.

Only storage is smaller: a network is always built in float32 from what is stored. (Symmetric rounding of weights by groups: Gholami et al. 2021,
"A survey of quantization methods for efficient neural network inference", section III.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deepseg.errors import ModelError

if TYPE_CHECKING:
    import torch

SCALE = ".int8_scale"
"""Ending of the name of the tensor that holds the scales of an 8-bit one."""

_LARGEST = 127
_KERNEL_VALUES = 27
"""A convolution kernel of this many values gets a scale of its own, which halves the error of one for each output channel; more is for more bytes."""


def stored_weights(state: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Tensors as a weight file holds them.

    Args:
        state: tensors by name; integers stay as they are.
        dtype: a float type; or int8, for what has two axes or more, with the rest (biases, norms) in float16.

    Returns:
        Contiguous tensors on the processor. An 8-bit one is followed by its scales, bfloat16, of as many axes, 1 long where they are shared.

    Raises:
        ModelError: a value is larger than what it would be stored in can hold, or is to become an 8-bit integer and is not finite.
    """
    import torch

    stored = {}
    for name, value in state.items():
        # A clone, because parts of one tensor cannot be stored each on its own.
        value = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        if not value.is_floating_point():
            stored[name] = value
        elif dtype != torch.int8 or value.ndim < 2:
            stored[name] = _in_float(name, value, torch.float16 if dtype == torch.int8 else dtype)
        else:
            if not bool(value.float().isfinite().all()):
                raise ModelError(f"The weights '{name}' hold a number that is not finite, which 8 bits cannot store.")
            scale = _scales_for(value.float())
            stored[name] = (value.float() / scale.float()).round().clamp(-_LARGEST, _LARGEST).to(torch.int8)
            stored[name + SCALE] = scale
    return stored


def full_weights(stored: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a weight file in float32, by the names of the network.

    Raises:
        ModelError: an 8-bit tensor lacks its scales, or they do not fit it, or a scale is not a number above 0.
    """
    import torch

    weights = {}
    for name, value in stored.items():
        if name.endswith(SCALE) and stored.get(name.removesuffix(SCALE), value).dtype == torch.int8:
            continue
        weights[name] = value.float() if value.dtype != torch.int8 else value.float() * _checked_scales(name, value, stored)
    return weights


def _in_float(name: str, value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The values in a float type. What is not finite from the start stays so."""
    import torch

    stored = value.to(dtype)
    lost = value[stored.isinf() & value.isfinite()]
    if lost.numel():
        type_name, limit = str(dtype).removeprefix("torch."), torch.finfo(dtype).max
        raise ModelError(
            f"The weights '{name}' hold {float(lost.abs().max()):.4g}, which {type_name} cannot store: its largest number is {limit:.4g}. "
            "Store the model in float32."
        )
    return stored


def _scales_for(value: torch.Tensor) -> torch.Tensor:
    """bfloat16, whose range is that of float32, of as many axes as `value`: one a kernel, or one along the first axis where kernels are small."""
    import torch

    shared = range(2 if value.shape[2:].numel() >= _KERNEL_VALUES else 1, value.ndim)
    largest = value.abs().amax(tuple(shared), keepdim=True)
    scales = (largest / _LARGEST).bfloat16()
    return torch.where(scales == 0, 1.0, scales)


def _checked_scales(name: str, value: torch.Tensor, stored: Mapping[str, torch.Tensor]) -> torch.Tensor:
    scale = stored.get(name + SCALE)
    if scale is None:
        raise ModelError(f"The weights '{name}' are stored in 8 bits without their scales '{name}{SCALE}'.")
    if scale.ndim != value.ndim or any(n not in (1, length) for n, length in zip(scale.shape, value.shape, strict=True)):
        raise ModelError(f"The scales of the weights '{name}' have shape {tuple(scale.shape)}, which does not fit {tuple(value.shape)}.")
    scale = scale.float()
    if not bool((scale.isfinite() & (scale > 0)).all()):
        raise ModelError(f"The scales of the weights '{name}' hold a number that is not finite and above 0.")
    return scale
