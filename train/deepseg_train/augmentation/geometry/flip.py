"""Mirror images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_share


@dataclass(frozen=True)
class FlipSettings:
    """How likely the image is mirrored along each direction of the body.

    Off unless asked for: a mirrored left kidney is a right one.
    """

    left_right: float = 0.0
    anterior_posterior: float = 0.0
    superior_inferior: float = 0.0

    def __post_init__(self) -> None:
        need_share(self, "left_right", "anterior_posterior", "superior_inferior")


def draw_flips(settings: FlipSettings, rng: np.random.Generator, grid: PatchGrid) -> tuple[bool, bool, bool]:
    """Which of I, J, K are mirrored."""
    first, second, third = (bool(rng.random() < getattr(settings, direction)) for direction in grid.directions)
    return first, second, third
