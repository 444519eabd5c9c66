"""Brightness: all intensities moved, or multiplied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_at_least, need_range, need_share


@dataclass(frozen=True)
class BrightnessSettings:
    """How likely and how strong: every intensity is multiplied by a factor from `factor`, then moved by up to `shift` to either side."""

    probability: float = 0.15
    factor: tuple[float, float] = (0.75, 1.25)
    shift: float = 0.0

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_range(self, "factor", 0.0)
        need_at_least(self, 0, "shift")


@dataclass(frozen=True)
class Brightness:
    """factor * intensity + shift."""

    factor: float
    shift: float

    @classmethod
    def draw(cls, settings: BrightnessSettings, rng: np.random.Generator, grid: PatchGrid) -> Brightness:
        return cls(float(rng.uniform(*settings.factor)), float(rng.uniform(-settings.shift, settings.shift)))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        return (channel * self.factor).add_(self.shift)
