"""Gaussian smoothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.along_axes import along_axes
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_range, need_share


@dataclass(frozen=True)
class BlurSettings:
    """How likely and how strong: sigma in voxels is drawn from `sigma_voxels`, for each axis its own."""

    probability: float = 0.1
    sigma_voxels: tuple[float, float] = (0.5, 1.0)

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_range(self, "sigma_voxels", 0.0)


@dataclass(frozen=True)
class Blur:
    """Smoothing with a sigma in voxels along I, J, K; at the border with the part of the kernel that lies inside."""

    sigma: tuple[float, float, float]

    @classmethod
    def draw(cls, settings: BlurSettings, rng: np.random.Generator, grid: PatchGrid) -> Blur:
        first, second, third = rng.uniform(*settings.sigma_voxels, 3).tolist()
        return cls((first, second, third))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        return along_axes(channel, *(_kernel(n, sigma) for n, sigma in zip(channel.shape, self.sigma, strict=True)))


def _kernel(size: int, sigma: float) -> torch.Tensor:
    at = torch.arange(size, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((at[:, None] - at) / max(sigma, 1e-3)) ** 2)
    return weights / weights.sum(1, keepdim=True)
