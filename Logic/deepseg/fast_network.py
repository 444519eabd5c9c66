"""A network made ready for fast inference: number type, memory format, and a quicker twin of instance normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

PRECISIONS: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def fast_precision(device: torch.device) -> str:
    """The number type that is fastest on a device without losing labels; float32 where nothing else is known to be."""
    if device.type == "cuda":
        return "float16"
    if device.type == "cpu" and _computes_bfloat16():
        return "bfloat16"
    return "float32"


def _computes_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where it only emulates it, float32 is faster."""
    answers = [getattr(torch.cpu, name, lambda: False)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(answers)


def optimise(network: nn.Module, precision: str) -> nn.Module:
    """Make a network ready for inference alone, in place; `precision` is a key of `PRECISIONS`.

    On the processor, instance normalisation runs as the group normalisation with one channel a group that it is: the same numbers by quicker code.
    In half precision weights and windows lie channels last, as convolutions like them best; in float32 that gains nothing there, and PyTorch's group
    normalisation of it is off by 6e-4.
    """
    network.to(PRECISIONS[precision]).eval().requires_grad_(False)
    if next(network.parameters()).device.type == "cpu":
        replace_instance_norms(network)
    for tensor in network.parameters():
        tensor.data = arranged(tensor.data, precision)
    return network


@contextmanager
def full_float32() -> Iterator[None]:
    """float32 that is float32: NVIDIA's convolutions otherwise round it to 10 bits (TF32)."""
    convolutions = torch.backends.cudnn
    before, convolutions.allow_tf32 = convolutions.allow_tf32, False
    try:
        yield
    finally:
        convolutions.allow_tf32 = before


def arranged(tensor: torch.Tensor, precision: str) -> torch.Tensor:
    """Weights or a batch (N, C, ...) in the memory format of an optimised network."""
    if precision == "float32" or tensor.ndim not in _CHANNELS_LAST:
        return tensor.contiguous()
    tensor = tensor.contiguous(memory_format=_CHANNELS_LAST[tensor.ndim])
    if tensor.shape[1] == 1:
        # One channel lies both ways at once; unless its stride says channels last, the first convolution's output lies channels first.
        strides = list(tensor.stride())
        strides[1] = 1
        return tensor.as_strided(tensor.shape, strides, tensor.storage_offset())
    return tensor


_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class _ChannelNorm(nn.GroupNorm):
    """Group normalisation, with small maps that lie channels last turned round: PyTorch's code for these is about ten times slower."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if values.is_contiguous() or values.shape[2:].numel() >= _SMALL_MAP:
            return super().forward(values)
        return super().forward(values.contiguous()).contiguous(memory_format=_CHANNELS_LAST[values.ndim])


_SMALL_MAP = 1024
"""Voxels below which PyTorch takes the slow code (1.3 ms of a pass of 52 of hippocampus-mr 1.0.1)."""


def replace_instance_norms(module: nn.Module) -> None:
    """On the processor a network trains faster so, too; its weights keep their names."""
    for name, part in list(module.named_children()):
        if isinstance(part, (nn.InstanceNorm2d, nn.InstanceNorm3d)) and not part.track_running_stats:
            twin = _ChannelNorm(part.num_features, part.num_features, eps=part.eps, affine=part.affine)
            if part.affine:
                twin.weight, twin.bias = part.weight, part.bias
            module.add_module(name, twin.train(part.training))
        else:
            replace_instance_norms(part)
