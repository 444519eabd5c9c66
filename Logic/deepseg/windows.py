"""Where the windows of a sliding window lie and how they are weighed, by MONAI's rules or nnU-Net's."""

from __future__ import annotations

import numpy as np
import torch

from deepseg.spec import WindowSpec

GAUSSIAN_SIGMA = 0.125
"""Standard deviation of the blending weight, as a share of the window (nnU-Net and MONAI)."""


def window_starts(length: int, size: int, overlap: float, steps: str) -> list[int]:
    """First voxels of the windows along one axis; the last window ends at the border.

    Args:
        length: voxels of the volume.
        size: voxels of the window.
        overlap: share that neighbouring windows have in common.
        steps: 'fixed' (MONAI) or 'even' (nnU-Net).
    """
    if size >= length:
        return [0]
    if steps == "even":
        count = int(np.ceil((length - size) / (size * (1 - overlap)))) + 1
        return [round((length - size) / (count - 1) * n) for n in range(count)]
    step = max(int(size * (1 - overlap)), 1)
    count = -(-(length - size) // step) + 1
    return [min(n * step, length - size) for n in range(count)]


def window_weight(window: WindowSpec) -> torch.Tensor:
    """Blending weight float32 (I, J, K) of a window, largest in its middle."""
    if window.weight == "constant":
        return torch.ones(window.size)
    return _nnunet_weight(window.size) if window.weight == "nnunet" else _monai_weight(window.size)


def _monai_weight(size: tuple[int, int, int]) -> torch.Tensor:
    """A Gaussian around the window's middle, never below 0.001. A slice of a 2D network has the weight of its own two axes."""
    weight = torch.ones(())
    for length in size:
        at = torch.arange(-(length - 1) / 2.0, (length - 1) / 2.0 + 1)
        weight = weight.unsqueeze(-1) * torch.exp(at**2 / (-2 * (GAUSSIAN_SIGMA * length) ** 2))
    return weight.clamp(min=max(weight[weight != 0].min().item(), 1e-3))


def _nnunet_weight(size: tuple[int, int, int]) -> torch.Tensor:
    """A Gaussian around voxel `length // 2`, cut off at four standard deviations; in float16, where what would be 0 is the smallest number left."""
    weight = np.ones(())
    for length in size:
        sigma = GAUSSIAN_SIGMA * length
        distance = np.abs(np.arange(length) - length // 2)
        line = np.where(distance <= int(4 * sigma + 0.5), np.exp(-(distance**2) / (2 * sigma**2)), 0.0) if length > 1 else np.ones(1)
        weight = weight[..., None] * line
    # nnU-Net scales the peak to 10 before it rounds to float16, which decides where the weight becomes 0.
    rounded = torch.from_numpy(10 * weight).half().float()
    rounded[rounded == 0] = rounded[rounded != 0].min()
    return rounded


def all_starts(shape: tuple[int, int, int], window: WindowSpec) -> tuple[list[int], list[int], list[int]]:
    """First voxels of the windows over a volume along each axis; a 2D network sees each slice once."""
    starts = [window_starts(length, size, window.overlap, window.steps) for length, size in zip(shape, window.size, strict=True)]
    if (across := window.slice_axis) is not None:
        starts[across] = list(range(shape[across]))
    return tuple(starts)
