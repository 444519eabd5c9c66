"""Attention of transformer networks, and how a question's weight over the tokens of the last layer flows back to those of the first.

Abnar and Zuidema 2020, arXiv:2005.00928: each layer passes half of its weight on as it is (the skip connection) and half by its attention, the mean
over its heads. In a Swin transformer this goes window by window, each layer's windows shifted as the layer shifts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from deepseg.errors import ExplanationError

Flow = Callable[[torch.Tensor], torch.Tensor]
"""From weights over the last tokens to weights over the first, both (i, j, k) on their grids."""


@contextmanager
def attention_kept(network: nn.Module) -> Iterator[list[tuple[nn.Module, torch.Tensor]]]:
    """While the block runs, each attention layer with its matrix (windows, heads, tokens, tokens), in the order in which they are used.

    Raises:
        ExplanationError: the network has no attention that is known here.
    """
    from monai.networks.blocks.selfattention import SABlock
    from monai.networks.nets.swin_unetr import WindowAttention

    layers = [part for part in network.modules() if isinstance(part, (SABlock, WindowAttention))]
    if not layers:
        raise ExplanationError("The network has no attention to look at; attention rollout is for UNETR and SwinUNETR. Choose another method.")
    kept: list[tuple[nn.Module, torch.Tensor]] = []
    with ExitStack() as undo:
        for layer in layers:
            for name, value in (("use_flash_attention", False), ("save_attn", True)):
                if hasattr(layer, name):
                    undo.callback(setattr, layer, name, getattr(layer, name))
                    setattr(layer, name, value)
            if isinstance(layer, WindowAttention):
                hook = layer.softmax.register_forward_hook(lambda module, inputs, output, layer=layer: kept.append((layer, output.detach())))
            else:
                undo.callback(setattr, layer, "att_mat", layer.att_mat)
                hook = layer.register_forward_hook(lambda module, inputs, output: kept.append((module, module.att_mat.detach())))
            undo.callback(hook.remove)
        yield kept


def flow_of(network: nn.Module, kept: list[tuple[nn.Module, torch.Tensor]], window: tuple[int, int, int]) -> tuple[Flow, tuple[int, int, int]]:
    """How weight flows back through what was kept of one window, and the grid of the last tokens."""
    from monai.networks.nets import SwinUNETR

    if isinstance(network, SwinUNETR):
        return _swin_flow(network, dict(kept), window)
    matrices = [matrix[0].mean(0) for _, matrix in kept]
    grid = tuple(network.feat_size)
    if matrices[0].shape[-1] != grid[0] * grid[1] * grid[2]:
        raise ExplanationError("The network's tokens do not lie on the image's grid; choose another method.")

    def back(weights: torch.Tensor) -> torch.Tensor:
        flat = weights.flatten()
        for matrix in reversed(matrices):
            flat = (flat + flat @ matrix) / 2
        return flat.reshape(grid)

    return back, grid


def _swin_flow(network: nn.Module, kept: dict[nn.Module, torch.Tensor], window: tuple[int, int, int]) -> tuple[Flow, tuple[int, int, int]]:
    transformer = network.swinViT
    stages = [stage[0] for stage in (transformer.layers1, transformer.layers2, transformer.layers3, transformer.layers4)]
    grids = [tuple(-(-n // size) for n, size in zip(window, transformer.patch_embed.patch_size, strict=True))]
    for _ in stages:
        grids.append(tuple(-(-n // 2) for n in grids[-1]))

    def back(weights: torch.Tensor) -> torch.Tensor:
        for stage, fine in zip(reversed(stages), reversed(grids[:-1]), strict=True):
            # A merged token is made of eight (at an odd border of fewer), which share its weight.
            weights = weights.repeat_interleave(2, 0).repeat_interleave(2, 1).repeat_interleave(2, 2)[: fine[0], : fine[1], : fine[2]] / 8
            for block in reversed(list(stage.blocks)):
                weights = (weights + _through_windows(block, kept[block.attn].mean(1), weights)) / 2
        return weights

    return back, grids[-1]


def _through_windows(block: nn.Module, matrices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weights (i, j, k) through a block's attention (windows, tokens, tokens), window by window."""
    from monai.networks.nets.swin_unetr import get_window_size, window_partition, window_reverse

    size, shift = get_window_size(tuple(weights.shape), block.window_size, block.shift_size)
    missing = [-n % s for n, s in zip(weights.shape, size, strict=True)]

    def in_windows(values: torch.Tensor) -> torch.Tensor:
        padded = nn.functional.pad(values, [0, missing[2], 0, missing[1], 0, missing[0]])
        rolled = torch.roll(padded, [-s for s in shift], (0, 1, 2))
        return window_partition(rolled[None, ..., None], size).transpose(1, 2)  # (windows, 1, tokens)

    # What is looked at beyond the border is nothing; the rest counts as if it were all.
    matrices = matrices * in_windows(torch.ones_like(weights))
    matrices = matrices / matrices.sum(2, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    passed = (in_windows(weights) @ matrices).reshape(-1, *size, 1)
    shape = [n + more for n, more in zip(weights.shape, missing, strict=True)]
    whole = torch.roll(window_reverse(passed, size, [1, *shape])[0, ..., 0], list(shift), (0, 1, 2))
    return whole[tuple(slice(n) for n in weights.shape)]
