"""Ghosts of periodic motion in MR, such as breathing or flow: each n-th line of k-space is weakened, so that n faint copies appear along the axis.

As TorchIO's `RandomGhosting` (Perez-Garcia et al. 2021, doi:10.1016/j.cmpb.2021.106236). What happens to whole lines of k-space is a circular
convolution along the axis, so no Fourier transform of the image is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.along_axes import along_axis
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.intensity.lines import filter_of_lines
from deepseg_train.augmentation.ranges import need_range, need_share
from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class GhostingSettings:
    """How likely and how strong.

    Attributes:
        probability: of any ghosts.
        ghosts: fewest and most copies.
        intensity: range of the share by which lines are weakened.
        center: share of the lines, around the middle of k-space, that stays as it is.
    """

    probability: float = 0.0
    ghosts: tuple[int, int] = (3, 8)
    intensity: tuple[float, float] = (0.2, 0.8)
    center: float = 0.02

    def __post_init__(self) -> None:
        need_share(self, "probability", "center")
        need_range(self, "intensity", 0.0, 1.0)
        if not 2 <= self.ghosts[0] <= self.ghosts[1]:
            raise ConfigError(f"ghosts is {list(self.ghosts)}; expected the lower number first, both at least 2.")


@dataclass(frozen=True)
class Ghosting:
    """`ghosts` copies along an axis (0 for I)."""

    ghosts: int
    intensity: float
    axis: int
    center: float

    @classmethod
    def draw(cls, settings: GhostingSettings, rng: np.random.Generator, grid: PatchGrid) -> Ghosting:
        low, high = settings.ghosts
        return cls(int(rng.integers(low, high + 1)), float(rng.uniform(*settings.intensity)), int(rng.integers(3)), settings.center)

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        size = channel.shape[self.axis]
        lines = np.arange(size) - size // 2  # 0 is the middle of k-space
        kept = np.where(lines % self.ghosts == 0, 1 - self.intensity, 1.0)
        kept[np.abs(lines) <= self.center * size / 2] = 1.0
        return along_axis(channel, filter_of_lines(kept), self.axis)
