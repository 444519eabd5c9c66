"""Smooth random displacement (Simard et al. 2003, doi:10.1109/ICDAR.2003.1227801) by cubic B-splines on a coarse grid of control points.

Cubic B-splines cannot fold the image while no control point moves further than 1 / 2.48 of their distance (Choi and Lee 2000,
doi:10.1006/gmod.1999.0516), so the settings refuse more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.along_axes import along_axes
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_at_least, need_range, need_share
from deepseg_train.errors import ConfigError

FOLDS_FROM = 1 / 2.479472335
"""Largest move of a control point that surely folds nothing, as a share of the distance of control points; in three dimensions."""


@dataclass(frozen=True)
class ElasticSettings:
    """How likely and how strong.

    Attributes:
        probability: of any displacement.
        control_mm: distance of control points.
        displacement_mm: range from which the largest move of a control point is drawn; each then moves by as much at most along each axis.
    """

    probability: float = 0.0
    control_mm: float = 24.0
    displacement_mm: tuple[float, float] = (0.0, 6.0)

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_at_least(self, 1, "control_mm")
        need_range(self, "displacement_mm", 0.0)
        if self.displacement_mm[1] > FOLDS_FROM * self.control_mm:
            raise ConfigError(
                f"displacement_mm is {list(self.displacement_mm)}; expected at most {FOLDS_FROM:.3f} of control_mm "
                f"({FOLDS_FROM * self.control_mm:.1f} mm), from where on the image may fold."
            )


@dataclass(frozen=True)
class Elastic:
    """A displacement: control points along I, J, K, their distance and their largest move along each axis in voxels, and the seed of their moves."""

    points: tuple[int, int, int]
    distance: tuple[float, float, float]
    reach: tuple[float, float, float]
    seed: int


def draw_elastic(settings: ElasticSettings, rng: np.random.Generator, grid: PatchGrid) -> Elastic:
    """Numbers for one patch."""
    reach_mm = rng.uniform(*settings.displacement_mm)
    distance = tuple(settings.control_mm / mm for mm in grid.spacing_mm)
    # One point before the patch and two behind it reach into it.
    points = tuple(math.floor((n - 1) / d) + 4 for n, d in zip(grid.size, distance, strict=True))
    return Elastic(points, distance, tuple(reach_mm / mm for mm in grid.spacing_mm), int(rng.integers(2**32)))


def displacement(elastic: Elastic, size: tuple[int, int, int]) -> torch.Tensor:
    """Voxels along I, J, K by which each voxel of the patch reads elsewhere: float32 (3, I, J, K)."""
    moves = np.random.default_rng(elastic.seed).uniform(-1, 1, (3, *elastic.points)).astype(np.float32)
    moves *= np.asarray(elastic.reach, np.float32).reshape(3, 1, 1, 1)
    weights = [torch.from_numpy(_weights(n, d, p)) for n, d, p in zip(size, elastic.distance, elastic.points, strict=True)]
    return along_axes(torch.from_numpy(moves), *weights)


def _weights(size: int, distance: float, points: int) -> np.ndarray:
    """How much each control point counts at each voxel: the four cubic B-splines that are not 0 there; float32 (size, points)."""
    at = np.arange(size) / distance
    cell = np.floor(at).astype(int)
    t = at - cell
    splines = ((1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6)
    weights = np.zeros((size, points), np.float32)
    for n, spline in enumerate(splines):
        weights[np.arange(size), cell + n] = spline
    return weights
