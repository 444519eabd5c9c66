"""Sliding-window inference: the network over the whole of a volume, window by window, blended with Gaussian weights.

The windows, weights and padding are those of MONAI's `SlidingWindowInferer(mode="gaussian")`, so that stock MONAI computes the same.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
from torch import nn

from deepseg.errors import ModelError

GAUSSIAN_SIGMA = 0.125
"""Standard deviation of the blending weight, as a share of the window (nnU-Net and MONAI)."""


def infer_logits(
    network: nn.Module,
    image: torch.Tensor,
    patch: tuple[int, int, int],
    overlap: float,
    class_count: int,
    on_window: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """Run `network` over `image` and blend overlapping windows.

    Args:
        network: in evaluation mode; (1, C, *patch) to logits (1, L, *patch).
        image: float32 (C, I, J, K) on the network's device.
        patch: window size in voxels; an image smaller than it is padded with 0 (the mean after z-score) on both sides.
        overlap: share of the window that neighbouring windows share, 0 <= overlap < 1.
        class_count: L.
        on_window: called with (windows done, windows in all) after each.

    Returns:
        float32 logits (L, I, J, K) on the CPU.

    Raises:
        ModelError: the network answers with another number of classes or another window.
    """
    size = tuple(image.shape[1:])
    missing = [max(p - n, 0) for p, n in zip(patch, size, strict=True)]
    before = [m // 2 for m in missing]
    padding = [amount for b, m in zip(reversed(before), reversed(missing), strict=True) for amount in (b, m - b)]
    padded = nn.functional.pad(image, padding)
    weight = gaussian_weight(patch).to(image.device)
    total = torch.zeros((class_count, *padded.shape[1:]), device=image.device)
    weights = torch.zeros(padded.shape[1:], device=image.device)
    windows = list(product(*(window_starts(n, p, overlap) for n, p in zip(padded.shape[1:], patch, strict=True))))
    with torch.inference_mode():
        for done, start in enumerate(windows, start=1):
            where = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
            logits = network(padded[(slice(None), *where)].unsqueeze(0))[0].float()
            if logits.shape != (class_count, *patch):
                raise ModelError(
                    f"The network answers {tuple(logits.shape)}, the model's labels and window need {(class_count, *patch)}; it is damaged."
                )
            total[(slice(None), *where)] += logits * weight
            weights[where] += weight
            if on_window:
                on_window(done, len(windows))
    total /= weights
    inside = tuple(slice(b, b + n) for b, n in zip(before, size, strict=True))
    return total[(slice(None), *inside)].cpu()


def window_starts(length: int, window: int, overlap: float) -> list[int]:
    """First voxels of the windows along one axis; the last window ends at the border."""
    if window >= length:
        return [0]
    step = max(int(window * (1 - overlap)), 1)
    count = -(-(length - window) // step) + 1
    return [min(n * step, length - window) for n in range(count)]


def gaussian_weight(patch: tuple[int, int, int]) -> torch.Tensor:
    """Blending weight (I, J, K): 1 in the middle, falling off as a Gaussian, never below 0.001."""
    weight = torch.ones(1)
    for axis, size in enumerate(patch):
        at = torch.arange(-(size - 1) / 2.0, (size - 1) / 2.0 + 1)
        line = torch.exp(at**2 / (-2 * (GAUSSIAN_SIGMA * size) ** 2))
        weight = line if axis == 0 else weight.unsqueeze(-1) * line
    return weight.clamp(min=max(weight[weight != 0].min().item(), 1e-3))
