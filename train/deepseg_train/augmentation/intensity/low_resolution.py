"""Coarser sampling: thick slices or a low matrix, brought back to the model's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.along_axes import along_axis
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_range, need_share


@dataclass(frozen=True)
class LowResolutionSettings:
    """How likely and how strong.

    Attributes:
        probability: of any coarser sampling.
        zoom: share of the voxels along an axis that are kept; drawn from this range.
        all_axes: how often all axes are coarser by the same share; else it is one of them, as in thick slices.
    """

    probability: float = 0.25
    zoom: tuple[float, float] = (0.5, 1.0)
    all_axes: float = 0.5

    def __post_init__(self) -> None:
        need_share(self, "probability", "all_axes")
        need_range(self, "zoom", 0.05, 1.0)


@dataclass(frozen=True)
class LowResolution:
    """A share of the voxels along each of `axes` (0 for I): means of what each large voxel covers, then linear interpolation."""

    zoom: float
    axes: tuple[int, ...]

    @classmethod
    def draw(cls, settings: LowResolutionSettings, rng: np.random.Generator, grid: PatchGrid) -> LowResolution:
        zoom = float(rng.uniform(*settings.zoom))
        return cls(zoom, (0, 1, 2) if rng.random() < settings.all_axes else (int(rng.integers(3)),))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        for axis in self.axes:
            channel = along_axis(channel, _down_and_up(channel.shape[axis], self.zoom), axis)
        return channel


def _down_and_up(size: int, zoom: float) -> torch.Tensor:
    """Both steps as one matrix (size, size)."""
    coarse = max(round(size * zoom), 1)
    if coarse == size:
        return torch.eye(size)
    edges = torch.arange(coarse + 1) * (size / coarse)
    at = torch.arange(size)
    covered = (torch.minimum(edges[1:, None], at + 1) - torch.maximum(edges[:-1, None], at)).clamp_(0)
    down = covered / covered.sum(1, keepdim=True)
    middles = ((at + 0.5) * (coarse / size) - 0.5).clamp_(0, coarse - 1)
    up = (1 - (middles[:, None] - torch.arange(coarse)).abs()).clamp_(0)
    return up @ down
