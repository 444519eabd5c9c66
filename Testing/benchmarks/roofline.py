"""The least time a network's forward pass can take: its convolutions at the speed of one large convolution, its other passes at that of a copy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from deepseg.fast_network import PRECISIONS, arranged
from deepseg.heap import freed_memory_kept, large_blocks_kept

_NORMS = (nn.GroupNorm, nn.InstanceNorm3d, nn.BatchNorm3d)
_ACTIVATIONS = (nn.LeakyReLU, nn.ReLU, nn.PReLU)


_LARGE = ((64, 48), (128, 32), (256, 24))
"""Channels and side of the large convolutions; the quickest counts."""


def compare_with_roofline(network: nn.Module, window: torch.Tensor, precision: str, rounds: int = 15) -> dict[str, float]:
    """Forward pass of one window (1, C, i, j, k) against its limit, timed in turns, memory kept as in a run: seconds, and what they follow from."""
    flops, moved = _work(network, window)
    runs: dict[str, Callable[[], object]] = {"forward": lambda: network(window)}
    for channels, side in _LARGE:
        layer = nn.Conv3d(channels, channels, 3, padding=1, bias=False).to(PRECISIONS[precision])
        layer.weight.data = arranged(layer.weight.data, precision)
        values = arranged(torch.randn(1, channels, side, side, side).to(PRECISIONS[precision]), precision)
        runs[f"convolution {channels}"] = lambda layer=layer, values=values: layer(values)
    source = torch.randn(64 << 20)
    target = torch.empty_like(source)
    runs["copy"] = lambda: target.copy_(source)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode(), freed_memory_kept(), large_blocks_kept():
        for n in range(rounds + 1):
            for name, run in runs.items():
                begin = time.perf_counter()
                run()
                if n:  # the first is slower
                    seconds[name].append(time.perf_counter() - begin)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    speed = max(2 * 27 * channels**2 * side**3 / median[f"convolution {channels}"] for channels, side in _LARGE)
    bandwidth = 2 * source.numel() * source.element_size() / median["copy"]
    limit = flops / speed + moved / bandwidth
    return {"forward": median["forward"], "limit": limit, "flops": flops, "bytes": moved, "flop/s": speed, "byte/s": bandwidth}


def _work(network: nn.Module, window: torch.Tensor) -> tuple[int, int]:
    """Operations of the convolutions, and bytes that norms and activations move.

    A normalisation reads its values twice (sums, then the values) and writes them once; an activation reads and writes them once.
    """
    moved = 0

    def count(passes: int) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
            nonlocal moved
            moved += passes * output.numel() * output.element_size()

        return hook

    hooks = [part.register_forward_hook(count(3)) for part in network.modules() if isinstance(part, _NORMS)]
    hooks += [part.register_forward_hook(count(2)) for part in network.modules() if isinstance(part, _ACTIVATIONS)]
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(window)
    finally:
        for hook in hooks:
            hook.remove()
    return counter.get_total_flops(), moved
