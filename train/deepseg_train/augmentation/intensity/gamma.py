"""Gamma: dark or bright tissue spread out, mean and deviation kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_range, need_share


@dataclass(frozen=True)
class GammaSettings:
    """How likely and how strong: the exponent is drawn from `exponent`, one half of the draws below 1 where the range holds 1."""

    probability: float = 0.3
    exponent: tuple[float, float] = (0.7, 1.5)

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_range(self, "exponent", 0.05)


@dataclass(frozen=True)
class InvertedGammaSettings(GammaSettings):
    """As `GammaSettings`, of the image with bright and dark exchanged, which is exchanged back afterwards."""

    probability: float = 0.1


@dataclass(frozen=True)
class Gamma:
    """Intensities, brought to 0 to 1, to the power of `exponent`; then given back the mean and the deviation that they had."""

    exponent: float
    inverted: bool

    @classmethod
    def draw(cls, settings: GammaSettings, rng: np.random.Generator, grid: PatchGrid) -> Gamma:
        low, high = settings.exponent
        if low < 1 < high:
            low, high = (low, 1.0) if rng.random() < 0.5 else (1.0, high)
        return cls(float(rng.uniform(low, high)), isinstance(settings, InvertedGammaSettings))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        low, high = channel.aminmax()
        if low == high:
            return channel.clone()
        shown = (high - channel if self.inverted else channel - low).div_(high - low).pow_(self.exponent)
        deviation, mean = torch.std_mean(channel)
        new_deviation, new_mean = torch.std_mean(shown)
        factor = deviation / new_deviation.clamp_(1e-7) * (-1 if self.inverted else 1)
        return shown.sub_(new_mean).mul_(factor).add_(mean)
