"""The least time a network's forward pass can take: its convolutions at the speed of one large convolution, its other passes at that of a copy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from deepseg.fast_network import PRECISIONS, arranged

_NORMS = (nn.GroupNorm, nn.InstanceNorm3d, nn.BatchNorm3d)
_ACTIVATIONS = (nn.LeakyReLU, nn.ReLU, nn.PReLU)


def roofline_seconds(network: nn.Module, window: torch.Tensor, precision: str) -> dict[str, float]:
    """Seconds for one window (1, C, i, j, k), and the figures they follow from.

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
    flops = counter.get_total_flops()
    speed, bandwidth = convolution_flops_per_second(precision), copy_bytes_per_second()
    return {"flops": flops, "bytes": moved, "flop/s": speed, "byte/s": bandwidth, "seconds": flops / speed + moved / bandwidth}


def convolution_flops_per_second(precision: str) -> float:
    """What one large convolution reaches: the best of a few sizes."""
    best = 0.0
    for channels, side in ((64, 48), (128, 32), (256, 24)):
        layer = nn.Conv3d(channels, channels, 3, padding=1, bias=False).to(PRECISIONS[precision])
        layer.weight.data = arranged(layer.weight.data, precision)
        values = arranged(torch.randn(1, channels, side, side, side).to(PRECISIONS[precision]), precision)
        with torch.inference_mode():
            seconds = _median(lambda layer=layer, values=values: layer(values))
        best = max(best, 2 * 27 * channels**2 * side**3 / seconds)
    return best


def copy_bytes_per_second() -> float:
    """Bytes read and written a second by a copy that no cache holds."""
    source = torch.randn(64 << 20)
    target = torch.empty_like(source)
    return 2 * source.numel() * source.element_size() / _median(lambda: target.copy_(source))


def _median(run: Callable[[], object]) -> float:
    run()
    seconds = []
    for _ in range(7):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)
