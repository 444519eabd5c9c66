"""Random rotation, scale, shear and translation, in millimetres: voxels that are not cubes turn without being sheared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.ranges import need_at_least, need_range, need_share
from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class AffineSettings:
    """How likely and how strong; each number is drawn evenly from its range.

    Attributes:
        probability: of any change at all.
        rotate_degrees: largest angle about I, J and K, to either side.
        scale: factors of size, drawn evenly on a logarithmic scale; above 1 the patch shows things larger.
        shear: largest shear of each axis along each other, to either side.
        translate_mm: largest move along each axis, to either side.
    """

    probability: float = 0.4
    rotate_degrees: tuple[float, float, float] = (30.0, 30.0, 30.0)
    scale: tuple[float, float] = (0.7, 1.4)
    shear: float = 0.0
    translate_mm: float = 0.0

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_range(self, "scale", 0.1)
        need_at_least(self, 0, "shear", "translate_mm")
        if not all(0 <= angle <= 180 for angle in self.rotate_degrees):
            raise ConfigError(f"rotate_degrees is {list(self.rotate_degrees)}; expected three angles from 0 to 180.")


@dataclass(frozen=True)
class Affine:
    """Where the patch reads: an offset `o` from the patch's centre, in voxels, reads the image at `matrix @ o + translation` from there."""

    matrix: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    translation: tuple[float, float, float]


def draw_affine(settings: AffineSettings, rng: np.random.Generator, grid: PatchGrid) -> Affine:
    """Numbers for one patch."""
    angles = np.deg2rad(rng.uniform(-1, 1, 3) * settings.rotate_degrees)
    factor = np.exp(rng.uniform(*np.log(settings.scale)))
    shear = np.eye(3) + rng.uniform(-settings.shear, settings.shear, (3, 3)) * (1 - np.eye(3))
    translation = rng.uniform(-settings.translate_mm, settings.translate_mm, 3) / grid.spacing_mm
    in_mm = _rotation(angles) @ shear / factor
    spacing = np.asarray(grid.spacing_mm)
    in_voxels = in_mm * spacing / spacing[:, np.newaxis]
    return Affine(tuple(tuple(row) for row in in_voxels.tolist()), tuple(translation.tolist()))


def _rotation(angles: np.ndarray) -> np.ndarray:
    """About the first axis, then the second, then the third; radians."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (n for n in range(3) if n != axis)
        turn = np.eye(3)
        turn[[one, other], [one, other]] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix
