"""Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_range, need_share


@dataclass(frozen=True)
class NoiseSettings:
    """How likely and how strong: the noise's standard deviation, in the units of the prepared image, is drawn from `deviation`."""

    probability: float = 0.1
    deviation: tuple[float, float] = (0.0, 0.3)

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_range(self, "deviation", 0.0)


@dataclass(frozen=True)
class Noise:
    """White noise of mean 0."""

    deviation: float
    seed: int

    @classmethod
    def draw(cls, settings: NoiseSettings, rng: np.random.Generator, grid: PatchGrid) -> Noise:
        return cls(float(rng.uniform(*settings.deviation)), int(rng.integers(2**32)))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        noise = np.random.default_rng(self.seed).standard_normal(tuple(channel.shape), np.float32)
        return torch.from_numpy(noise).mul_(self.deviation).add_(channel)
