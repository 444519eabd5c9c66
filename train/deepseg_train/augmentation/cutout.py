"""Cutout (DeVries and Taylor 2017, arXiv:1708.04552): boxes of the image are hidden, so that what surrounds a structure must tell of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_at_least, need_range, need_share


@dataclass(frozen=True)
class CutoutSettings:
    """How likely and how much.

    Attributes:
        probability: of any box.
        boxes: how many there are at most; each number from 1 is as likely.
        share: range from which each box's length, as a share of the patch's, is drawn along each axis.
    """

    probability: float = 0.0
    boxes: int = 2
    share: tuple[float, float] = (0.1, 0.3)

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_at_least(self, 1, "boxes")
        need_range(self, "share", 0.0, 1.0)


@dataclass(frozen=True)
class Cutout:
    """Boxes of the patch, each its first voxel (I, J, K) and its size; the image is 0 there, the label stays."""

    boxes: tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """Hide the boxes in all channels of `image` (C, I, J, K), in place."""
        for start, size in self.boxes:
            image[(slice(None), *(slice(s, s + n) for s, n in zip(start, size, strict=True)))] = 0
        return image


def draw_cutout(settings: CutoutSettings, rng: np.random.Generator, grid: PatchGrid) -> Cutout:
    """Boxes for one patch, each wholly in it."""
    boxes = []
    for _ in range(rng.integers(1, settings.boxes + 1)):
        size = np.maximum(np.round(rng.uniform(*settings.share, 3) * grid.size).astype(int), 1)
        start = rng.integers(0, np.asarray(grid.size) - size + 1)
        boxes.append((tuple(start.tolist()), tuple(size.tolist())))
    return Cutout(tuple(boxes))
