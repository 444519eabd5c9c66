"""Contrast: distances from the mean stretched or shrunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_range, need_share


@dataclass(frozen=True)
class ContrastSettings:
    """How likely and how strong: each intensity's distance from the patch's mean is multiplied by a factor from `factor`."""

    probability: float = 0.15
    factor: tuple[float, float] = (0.75, 1.25)

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_range(self, "factor", 0.0)


@dataclass(frozen=True)
class Contrast:
    """Distances from the mean times a factor, cut to the range of intensities that the patch had."""

    factor: float

    @classmethod
    def draw(cls, settings: ContrastSettings, rng: np.random.Generator, grid: PatchGrid) -> Contrast:
        return cls(float(rng.uniform(*settings.factor)))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        low, high = channel.aminmax()
        return (channel * self.factor).add_(channel.mean() * (1 - self.factor)).clamp_(low, high)
