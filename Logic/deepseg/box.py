"""A region of interest: a box in the patient's space, upright or turned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deepseg.errors import RegionError

if TYPE_CHECKING:
    from deepseg.geometry import Geometry

Axes = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
UPRIGHT: Axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

_ROUNDING_MM = 1e-5
"""A voxel centre this little outside a box lies on its face; headers and matrices are no more exact than that."""
_LARGEST_SKEW = 1e-3
_RIGHT_ANGLE = 1e-9


@dataclass(frozen=True)
class Box:
    """A region of interest: a box with faces parallel to the RAS axes that may be turned about its own centre.

    Attributes:
        minimum_ras, maximum_ras: opposite corners before it is turned, RAS in mm; the corners themselves of an upright box.
        axes: three unit vectors in RAS along its sides, perpendicular to each other.

    Raises:
        RegionError: a number is not finite, the box has no size along an axis, or its axes are not perpendicular unit vectors.
    """

    minimum_ras: tuple[float, float, float]
    maximum_ras: tuple[float, float, float]
    axes: Axes = UPRIGHT

    def __post_init__(self) -> None:
        corners = np.array([self.minimum_ras, self.maximum_ras], dtype=float)
        if corners.shape != (2, 3) or not np.isfinite(corners).all():
            raise RegionError(f"A region of interest needs two corners of three finite numbers (RAS, mm); got {self}.")
        size = corners[1] - corners[0]
        if (size <= 0).any():
            raise RegionError(
                f"The region of interest measures {' x '.join(f'{v:.4g}' for v in size)} mm; every side must be longer than 0 mm. "
                "Draw it again or give other corners."
            )
        axes = np.array(self.axes, dtype=float)
        if axes.shape != (3, 3) or not np.isfinite(axes).all() or np.abs(axes @ axes.T - np.eye(3)).max() > _LARGEST_SKEW:
            raise RegionError(
                f"The axes of a region of interest must be three perpendicular unit vectors (RAS); got {self.axes}. "
                "A region under a transform that shears it is no box: harden the transform and draw it again."
            )
        object.__setattr__(self, "axes", tuple(tuple(axis) for axis in axes.tolist()))

    @staticmethod
    def from_center(center_ras: tuple[float, float, float], size_mm: tuple[float, float, float], axes: Axes = UPRIGHT) -> Box:
        """Box of `size_mm` along `axes` around `center_ras` (RAS, mm); one turned by right angles is an upright one."""
        center, half = np.asarray(center_ras, float), np.asarray(size_mm, float) / 2
        along = np.abs(np.asarray(axes, float))
        if np.abs(along - along.round()).max() < _RIGHT_ANGLE:
            half, axes = half @ along.round(), UPRIGHT
        return Box(tuple((center - half).tolist()), tuple((center + half).tolist()), axes)

    @property
    def is_upright(self) -> bool:
        """Whether its faces are parallel to the RAS axes as they are written down, so that no corner needs to be turned."""
        return self.axes == UPRIGHT

    @property
    def center_ras(self) -> tuple[float, float, float]:
        return tuple(((np.asarray(self.minimum_ras) + self.maximum_ras) / 2).tolist())

    def corners_ras(self) -> np.ndarray:
        """(8, 3) corners in RAS, mm."""
        corners = np.array(np.meshgrid(*zip(self.minimum_ras, self.maximum_ras, strict=True), indexing="ij")).reshape(3, 8).T
        return corners if self.is_upright else self.center_ras + (corners - self.center_ras) @ np.asarray(self.axes, float)

    def contains(self, geometry: Geometry, where: tuple[slice, slice, slice]) -> np.ndarray:
        """Which voxel centres of a block of a grid lie inside or on a face.

        Args:
            geometry: the grid, however it is turned against the box.
            where: the block, as `Geometry.slices_of` gives it.

        Returns:
            bool (I, J, K) of the block's shape.
        """
        return np.stack(list(self.planes_inside(geometry, where)))

    def planes_inside(self, geometry: Geometry, where: tuple[slice, slice, slice]) -> Iterator[np.ndarray]:
        """`contains`, one plane (J, K) after the other, so that little memory is needed."""
        axes, center = np.asarray(self.axes, float), np.asarray(self.center_ras)
        matrix = geometry.ijk_to_ras[:3, :3]
        first = geometry.ras_from_ijk([s.start for s in where])
        if not self.is_upright:
            matrix, first = axes @ matrix, center + axes @ (first - center)
        columns, rows = np.arange(where[1].stop - where[1].start)[:, None], np.arange(where[2].stop - where[2].start)
        for i in range(where[0].stop - where[0].start):
            inside = np.ones((len(columns), len(rows)), bool)
            for n in range(3):
                at = first[n] + matrix[n, 0] * i + matrix[n, 1] * columns + matrix[n, 2] * rows
                inside &= (at >= self.minimum_ras[n] - _ROUNDING_MM) & (at <= self.maximum_ras[n] + _ROUNDING_MM)
            yield inside

    def to_json(self) -> list[list[Any]]:
        """In JSON types: two corners, and the axes of a box that is not upright."""
        corners = [[float(v) for v in corner] for corner in (self.minimum_ras, self.maximum_ras)]
        return corners if self.is_upright else [*corners, [[float(v) for v in axis] for axis in self.axes]]

    @staticmethod
    def from_json(value: Any) -> Box:
        """The opposite of `to_json`.

        Raises:
            RegionError: the value is no box.
        """
        try:
            low, high, *more = value
            axes = tuple(tuple(float(v) for v in axis) for axis in more[0]) if more else UPRIGHT
            return Box(tuple(map(float, low)), tuple(map(float, high)), axes)
        except (TypeError, ValueError) as error:
            raise RegionError(f"A region of interest is written as two corners and, where it is turned, its axes; got {value!r}.") from error

    def in_words(self) -> str:
        """For example '(1, 2, 3) to (4, 5, 6) mm RAS'."""
        place = f"({', '.join(f'{v:g}' for v in self.minimum_ras)}) to ({', '.join(f'{v:g}' for v in self.maximum_ras)}) mm RAS"
        if self.is_upright:
            return place
        return f"{place}, turned to the axes {', '.join('(' + ', '.join(f'{v:.3f}' for v in axis) + ')' for axis in self.axes)}"
