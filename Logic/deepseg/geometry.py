"""Where voxels lie: the one place that knows RAS against LPS and IJK against KJI.

Conventions of the whole package: arrays are indexed (I, J, K), world positions are RAS in mm (x to the patient's right,
y anterior, z superior) and belong to voxel centres. ITK files and SimpleITK speak LPS, and numpy views of ITK and VTK images
are indexed (K, J, I); both are converted here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepseg.box import Box
from deepseg.errors import RegionError, VolumeError

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_AXIS_OF_LETTER = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def reverse_axes(array: np.ndarray) -> np.ndarray:
    """View an (I, J, K) array as (K, J, I) or back; the two differ by the order of axes alone."""
    return array.transpose(2, 1, 0)


def flip_lps_ras(matrix: np.ndarray) -> np.ndarray:
    """Turn a (4, 4) voxel-to-LPS matrix into voxel-to-RAS or back (the conversion is its own inverse)."""
    return _LPS_TO_RAS @ matrix


@dataclass(frozen=True, eq=False)
class Geometry:
    """A voxel grid in the patient's space.

    Attributes:
        shape: number of voxels (I, J, K).
        ijk_to_ras: float64 (4, 4), voxel index to RAS in mm of the voxel's centre.

    Raises:
        VolumeError: the grid is empty, or the axes are not perpendicular or degenerate.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: np.ndarray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        matrix = np.array(self.ijk_to_ras, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise VolumeError(f"A volume needs three axes with at least one voxel each; got shape {shape}.")
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise VolumeError("The image's position in space holds numbers that are not finite; export it again from its source.")
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        if (spacing <= 0).any():
            raise VolumeError(f"The voxel size is {_mm(spacing)} mm; every side must be longer than 0 mm. Export the image again.")
        directions = matrix[:3, :3] / spacing
        skew = np.abs(directions.T @ directions - np.eye(3)).max()
        if skew > 1e-3:
            raise VolumeError(
                f"The image's axes are not perpendicular (largest cosine between two axes {skew:.3f}, allowed 0.001), as with a tilted "
                "CT gantry. Resample it to a rectangular grid first (in Slicer: harden its transform, then 'Resample Scalar Volume')."
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "ijk_to_ras", matrix)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along I, J, K."""
        return tuple(np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0).tolist())

    @property
    def directions(self) -> np.ndarray:
        """(3, 3); column n is the unit vector of axis n in RAS."""
        return self.ijk_to_ras[:3, :3] / np.asarray(self.spacing_mm)

    @property
    def voxel_volume_ml(self) -> float:
        return abs(float(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000.0

    @property
    def center_ras(self) -> tuple[float, float, float]:
        """RAS position of the grid's middle, mm."""
        return tuple(self.ras_from_ijk((np.asarray(self.shape) - 1) / 2).tolist())

    def ras_from_ijk(self, ijk: np.ndarray) -> np.ndarray:
        """World positions (..., 3) in RAS mm of (fractional) voxel indices (..., 3)."""
        return np.asarray(ijk, float) @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3]

    def ijk_from_ras(self, ras: np.ndarray) -> np.ndarray:
        """Fractional voxel indices (..., 3) of world positions (..., 3) in RAS mm."""
        return (np.asarray(ras, float) - self.ijk_to_ras[:3, 3]) @ np.linalg.inv(self.ijk_to_ras[:3, :3]).T

    def corners_ras(self) -> np.ndarray:
        """(8, 3) RAS positions of the corner voxels' centres, mm."""
        last = np.asarray(self.shape) - 1
        return self.ras_from_ijk(np.array(np.meshgrid(*[(0, n) for n in last], indexing="ij")).reshape(3, 8).T)

    def is_close(self, other: Geometry, atol_mm: float = 1e-3) -> bool:
        """Same shape, and no voxel centre further apart than `atol_mm`."""
        if self.shape != other.shape:
            return False
        return bool(np.linalg.norm(self.corners_ras() - other.corners_ras(), axis=1).max() <= atol_mm)

    def cropped(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Geometry:
        """The part of this grid that begins at voxel `start`; every voxel keeps its place in the world."""
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] = self.ras_from_ijk(np.asarray(start))
        return Geometry(shape, matrix)

    def with_spacing(self, spacing_mm: tuple[float, float, float]) -> Geometry:
        """Same axes and same first voxel centre with another voxel size; the far end is kept to half a new voxel.

        The rule of MONAI's `Spacing(scale_extent=False)`, so that stock MONAI sees the same grid; as there, a voxel size that is off by less than
        0.001 mm (a rounded header) is kept, which spares the image a resampling.
        """
        old, new = np.asarray(self.spacing_mm), np.asarray(spacing_mm, float)
        new = np.where(np.abs(old - new) <= 1e-3, old, new)
        shape = np.round((np.asarray(self.shape) - 1) * old / new + 1).astype(int)
        if np.abs(new / old - 1).max() <= 1e-3 and np.array_equal(shape, self.shape):
            return self
        matrix = self.ijk_to_ras.copy()
        matrix[:3, :3] = self.directions * new
        return Geometry(tuple(shape.tolist()), matrix)

    def with_extent(self, shape: tuple[int, int, int]) -> Geometry:
        """Another number of voxels, at least one along each axis, between the same outer faces of the corner voxels.

        The rule of scikit-image's `resize` and of nnU-Net: voxel size = old size * old count / new count, the first centre moves with it.
        """
        new = np.asarray(shape)
        ratio = np.asarray(self.shape) / new
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] = self.ras_from_ijk((ratio - 1) / 2)
        matrix[:3, :3] = self.ijk_to_ras[:3, :3] * ratio
        return Geometry(tuple(new.tolist()), matrix)

    def slices_of(self, box: Box) -> tuple[slice, slice, slice]:
        """Smallest block of voxels that holds every voxel centre inside `box`, cut at the volume's border.

        Where box and grid are turned against each other, the block also holds centres outside: `Box.contains` tells which.

        Raises:
            RegionError: no voxel centre lies inside.
        """
        ijk = self.ijk_from_ras(box.corners_ras())
        start = np.ceil(ijk.min(0) - 1e-6).clip(0, self.shape).astype(int)
        stop = (np.floor(ijk.max(0) + 1e-6) + 1).clip(0, self.shape).astype(int)
        where = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        if (stop <= start).any() or not any(plane.any() for plane in box.planes_inside(self, where)):
            seen = self.corners_ras()
            raise RegionError(
                f"The region of interest, RAS {_at(box.minimum_ras)} to {_at(box.maximum_ras)} mm{'' if box.is_upright else ' before it is turned'}, "
                f"holds no voxel of the volume, which spans {_at(seen.min(0))} to {_at(seen.max(0))} mm. Move or enlarge the region."
            )
        return where

    def orientation_to(self, code: str) -> Orientation:
        """How to reorder this grid's axes so that they point along `code` as nearly as they can.

        Args:
            code: anatomical, for example 'RAS', or a permutation of the axes as stored without flips, for example 'KJI' for (K, J, I).
                'I' also means inferior; since an anatomical code always holds R or L, the two cannot be mistaken for each other.
        """
        if sorted(code) == ["I", "J", "K"]:
            return Orientation(tuple("IJK".index(letter) for letter in code), (False, False, False))
        directions = self.directions
        wanted = [_AXIS_OF_LETTER[letter] for letter in code]
        nearness = np.abs(directions)
        axis_of: dict[int, int] = {}
        # The strongest pair of world axis and grid axis first: the rule of nibabel, MONAI and ITK, which matters for grids turned far.
        for _ in range(3):
            world, axis = np.unravel_index(nearness.argmax(), (3, 3))
            axis_of[int(world)] = int(axis)
            nearness[world, :] = nearness[:, axis] = -1.0
        order = tuple(axis_of[world] for world, _ in wanted)
        flipped = tuple(bool(directions[w, a] * sign < 0) for (w, sign), a in zip(wanted, order, strict=True))
        return Orientation(order, flipped)

    def reoriented(self, orientation: Orientation) -> Geometry:
        """The same voxels with axes permuted and flipped; every voxel keeps its place in the world."""
        order, flipped = orientation.order, orientation.flipped
        shape = tuple(self.shape[a] for a in order)
        matrix = self.ijk_to_ras.copy()
        start = np.zeros(3)
        for axis, flip in zip(order, flipped, strict=True):
            start[axis] = self.shape[axis] - 1 if flip else 0
        matrix[:3, 3] = self.ras_from_ijk(start)
        matrix[:3, :3] = self.ijk_to_ras[:3, list(order)] * np.where(flipped, -1.0, 1.0)
        return Geometry(shape, matrix)

    @staticmethod
    def from_lps(shape: tuple[int, int, int], origin: object, spacing: object, directions: object) -> Geometry:
        """From ITK's description: `origin` LPS mm, `spacing` mm, `directions` 9 numbers row by row (LPS)."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(directions, float).reshape(3, 3) * np.asarray(spacing, float)
        matrix[:3, 3] = origin
        return Geometry(shape, flip_lps_ras(matrix))

    def to_lps(self) -> tuple[list[float], list[float], list[float]]:
        """ITK's description: origin (LPS mm), spacing (mm), directions (9 numbers row by row, LPS)."""
        matrix = flip_lps_ras(self.ijk_to_ras)
        spacing = np.asarray(self.spacing_mm)
        return matrix[:3, 3].tolist(), spacing.tolist(), (matrix[:3, :3] / spacing).ravel().tolist()


@dataclass(frozen=True)
class Orientation:
    """A lossless reordering of axes: new axis n is old axis `order[n]`, reversed where `flipped[n]`."""

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """View of an array (..., I, J, K) with its last three axes reordered."""
        lead = array.ndim - 3
        moved = array.transpose(*range(lead), *(lead + a for a in self.order))
        return moved[(..., *(slice(None, None, -1 if f else None) for f in self.flipped))]

    def inverse(self) -> Orientation:
        order = tuple(self.order.index(a) for a in range(3))
        return Orientation(order, tuple(self.flipped[n] for n in order))


def _mm(values: np.ndarray) -> str:
    return " x ".join(f"{v:.4g}" for v in np.asarray(values))


def _at(position: np.ndarray) -> str:
    return f"({', '.join(f'{v:.4g}' for v in position)})"
