"""A network made ready for fast training on the processor in bfloat16: values lie channels last, which its convolutions like best.

PyTorch's gradient of a group normalisation whose values lie channels last is about fifty times slower than that of a batch normalisation. For one
sample an instance normalisation is a batch normalisation, so the gradient here goes sample by sample.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from deepseg.fast_network import arranged, replace_instance_norms

_SMALL_MAP = 1024
"""Voxels below which PyTorch's forward pass is slow, too, so that the values are turned round for it."""


class _InstanceNorm(torch.autograd.Function):
    """Instance normalisation of (N, C, ...) values that lie channels last; its gradient lies so, too."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float) -> torch.Tensor:
        samples, channels = values.shape[:2]
        voxels = values.shape[2:].numel()
        given = values if voxels >= _SMALL_MAP else values.contiguous()
        result, mean, inverse_deviation = torch.native_group_norm(given, weight, bias, samples, channels, voxels, channels, eps)
        context.save_for_backward(values, weight, mean, inverse_deviation)
        context.eps = eps
        return result.contiguous(memory_format=_channels_last(values))

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, weight, mean, inverse_deviation = context.saved_tensors
        gradient = gradient.contiguous(memory_format=_channels_last(values))
        of_values, of_weight, of_bias = torch.empty_like(values), torch.zeros_like(weight), torch.zeros_like(weight)
        for n in range(len(values)):
            parts = torch.ops.aten.native_batch_norm_backward(
                gradient[n : n + 1],
                values[n : n + 1],
                weight,
                None,
                None,
                mean[n].to(weight.dtype),
                inverse_deviation[n].to(weight.dtype),
                True,
                context.eps,
                [True, True, True],
            )
            of_values[n : n + 1] = parts[0]
            of_weight += parts[1]
            of_bias += parts[2]
        return of_values, of_weight, of_bias, None


def _channels_last(values: torch.Tensor) -> torch.memory_format:
    return torch.channels_last if values.ndim == 4 else torch.channels_last_3d


class ChannelsLastNorm(nn.GroupNorm):
    """Instance normalisation whose training step is fast channels last; in every other case the group normalisation that it is."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if self.training and self.affine and values.device.type == "cpu" and values.dtype != torch.float32:
            return _InstanceNorm.apply(values.contiguous(memory_format=_channels_last(values)), self.weight, self.bias, self.eps)
        if values.is_contiguous() or (values.dtype != torch.float32 and values.shape[2:].numel() >= _SMALL_MAP):
            return super().forward(values)
        # PyTorch's code is slow for small maps that lie channels last, and off by 6e-4 for float32 ones.
        return super().forward(values.contiguous()).contiguous(memory_format=_channels_last(values))


def prepare_network(network: nn.Module) -> None:
    """Make a network of 2D or 3D convolutions ready, in place; weights keep their names and values. Train it under autocast to bfloat16.

    Give it images from `prepare_images`.
    """
    replace_instance_norms(network)
    _replace_norms(network)


def prepare_images(images: torch.Tensor) -> torch.Tensor:
    """A batch (N, C, ...) in the order that a prepared network reads fastest; the same values."""
    return arranged(images, "bfloat16")


def _replace_norms(module: nn.Module) -> None:
    for name, part in list(module.named_children()):
        if isinstance(part, nn.GroupNorm) and part.num_groups == part.num_channels and part.affine:
            twin = ChannelsLastNorm(part.num_groups, part.num_channels, eps=part.eps)
            twin.weight, twin.bias = part.weight, part.bias
            module.add_module(name, twin.train(part.training))
        else:
            _replace_norms(part)
