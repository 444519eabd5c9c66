"""The slow change of brightness that a coil leaves in MR (Van Leemput et al. 1999, doi:10.1109/42.811270: the exponential of a polynomial)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.along_axes import along_axes
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_range, need_share

_DEGREE = 3


@dataclass(frozen=True)
class BiasFieldSettings:
    """How likely and how strong: the largest magnitude of the field's logarithm is drawn from `strength`."""

    probability: float = 0.0
    strength: tuple[float, float] = (0.0, 0.5)

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_range(self, "strength", 0.0)


@dataclass(frozen=True)
class BiasField:
    """A factor of brightness above the patch's darkest voxel: the exponential of a polynomial of degree 3 with mean 0."""

    strength: float
    seed: int

    @classmethod
    def draw(cls, settings: BiasFieldSettings, rng: np.random.Generator, grid: PatchGrid) -> BiasField:
        return cls(float(rng.uniform(*settings.strength)), int(rng.integers(2**32)))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        # Prepared images have their zero in the middle; a scanner's have it at the dark end.
        darkest = channel.min()
        return (channel - darkest).mul_(self.logarithm(channel.shape).exp_()).add_(darkest)

    def logarithm(self, shape: torch.Size) -> torch.Tensor:
        """Of the field, float32 (I, J, K)."""
        low_degrees = np.indices((_DEGREE + 1,) * 3).sum(0) <= _DEGREE
        drawn = np.random.default_rng(self.seed).uniform(-1, 1, low_degrees.shape) * low_degrees
        powers = [torch.linspace(-1, 1, n)[:, None] ** torch.arange(_DEGREE + 1) for n in shape]
        field = along_axes(torch.from_numpy(drawn.astype(np.float32)), *powers)
        field -= field.mean()
        low, high = field.aminmax()
        return field.mul_(self.strength / torch.maximum(-low, high).clamp_(1e-6))
