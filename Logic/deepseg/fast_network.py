"""A network made ready for fast inference: number type, memory format, and a quicker twin of instance normalisation."""

from __future__ import annotations

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

    On the processor, instance normalisation runs as the group normalisation with one channel a group that it is: the same numbers, but PyTorch's
    code for it understands the memory format that convolutions like best (channels last).
    """
    network.to(PRECISIONS[precision]).eval().requires_grad_(False)
    if next(network.parameters()).device.type == "cpu":
        _replace_instance_norms(network)
    for tensor in network.parameters():
        if tensor.ndim in _CHANNELS_LAST:
            tensor.data = tensor.data.contiguous(memory_format=_CHANNELS_LAST[tensor.ndim])
    return network


def channels_last(batch: torch.Tensor) -> torch.Tensor:
    """A batch (N, C, ...) in the memory format of an optimised network."""
    return batch.contiguous(memory_format=_CHANNELS_LAST[batch.ndim])


_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def _replace_instance_norms(module: nn.Module) -> None:
    for name, part in list(module.named_children()):
        if isinstance(part, (nn.InstanceNorm2d, nn.InstanceNorm3d)) and not part.track_running_stats:
            twin = nn.GroupNorm(part.num_features, part.num_features, eps=part.eps, affine=part.affine)
            if part.affine:
                twin.weight, twin.bias = part.weight, part.bias
            module.add_module(name, twin.eval())
        else:
            _replace_instance_norms(part)
