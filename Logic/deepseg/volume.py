"""Images and label maps on a voxel grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deepseg.errors import VolumeError
from deepseg.geometry import Box, Geometry


@dataclass(frozen=True, eq=False)
class Volume:
    """An image, one or more channels on one grid.

    Attributes:
        array: float32 (C, I, J, K).
        geometry: the grid.
        units: one per channel: 'HU', 'SUV' or 'a.u.'.
        name: what to call it in messages.
        modalities: one per channel: DICOM's 'CT', 'MR', 'PT', ..., or '' where the source does not tell. Left out: '' for every channel.

    Raises:
        VolumeError: array and grid disagree, or voxels are NaN or infinite.
    """

    array: np.ndarray
    geometry: Geometry
    units: tuple[str, ...] = ("a.u.",)
    name: str = "volume"
    modalities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.ndim != 4 or self.array.shape[1:] != self.geometry.shape:
            raise VolumeError(f"'{self.name}' has an array of shape {self.array.shape} on a grid of {self.geometry.shape}; expected (C, I, J, K).")
        if len(self.units) != self.array.shape[0]:
            raise VolumeError(f"'{self.name}' has {self.array.shape[0]} channels but {len(self.units)} units; give one unit per channel.")
        modalities = self.modalities or ("",) * self.array.shape[0]
        if len(modalities) != self.array.shape[0]:
            raise VolumeError(f"'{self.name}' has {self.array.shape[0]} channels but {len(modalities)} modalities; give one per channel, or none.")
        # Numbers too large for float32 become infinite and are counted below.
        with np.errstate(over="ignore"):
            array = np.asarray(self.array, dtype=np.float32)
        bad = array.size - int(np.isfinite(array).sum())
        if bad:
            raise not_numbers(self.name, bad, array.size)
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "modalities", tuple(modalities))

    def refuse_constant(self) -> None:
        """Refuse a volume in which there is nothing to find.

        Raises:
            VolumeError: a channel has one value in every voxel.
        """
        for channel in self.array:
            if channel.min() == channel.max():
                raise VolumeError(
                    f"'{self.name}' has the value {channel.min():g} in every voxel to be segmented, so there is nothing to find. "
                    "Choose another volume or region of interest."
                )

    def cropped(self, box: Box) -> tuple[Volume, tuple[slice, slice, slice]]:
        """The part inside `box` and where it lies in this volume's array.

        Raises:
            RegionError: the box holds no voxel.
        """
        where = self.geometry.slices_of(box)
        start = tuple(s.start for s in where)
        part = self.array[(slice(None), *where)]
        return Volume(part, self.geometry.cropped(start, part.shape[1:]), self.units, self.name, self.modalities), where


def not_numbers(name: str, bad: int, count: int) -> VolumeError:
    """The error for an image with `bad` of `count` voxels NaN or infinite."""
    return VolumeError(
        f"'{name}' holds {bad} voxels that are not numbers (NaN or infinite) of {count}; replace them, for example by the background value."
    )


@dataclass(frozen=True)
class Code:
    """A coded concept: scheme ('SCT' for SNOMED CT), value and meaning."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Terminology:
    """What a segment is, in coded words, with the fields of Slicer's terminology entry and of DICOM SEG."""

    category: Code
    type: Code
    type_modifier: Code | None = None
    region: Code | None = None
    region_modifier: Code | None = None


@dataclass(frozen=True)
class Label:
    """One class of a label map. `color` is RGB in 0..1."""

    value: int
    name: str
    color: tuple[float, float, float]
    terminology: Terminology | None = None


def where_any(array: np.ndarray, values: Sequence[int], overlapping: bool) -> np.ndarray:
    """Where an array of label values, or of bit fields where labels overlap, holds any label of `values`: bool, the array's shape."""
    if overlapping:
        return (array & array.dtype.type(sum(1 << (value - 1) for value in set(values)))) != 0
    return array == values[0] if len(values) == 1 else np.isin(array, list(values))


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Segments as integers: 0 is background, other values are listed in `labels`.

    Attributes:
        array: uint8 or uint16 (I, J, K): label values, or bit fields where labels may overlap (bit n: the label of value n + 1).
        geometry: the grid.
        labels: the segments, without background.
        attributes: what made it (model, settings, version), text by text.
        overlapping: whether `array` holds bit fields.
    """

    array: np.ndarray
    geometry: Geometry
    labels: tuple[Label, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    overlapping: bool = False

    def __post_init__(self) -> None:
        if self.array.dtype not in (np.uint8, np.uint16):
            raise VolumeError(f"A label map needs uint8 or uint16 voxels; got {self.array.dtype}.")
        if self.array.shape != self.geometry.shape:
            raise VolumeError(f"A label map of shape {self.array.shape} does not fit a grid of {self.geometry.shape}.")

    def mask(self, label: Label) -> np.ndarray:
        """Where one segment is: bool (I, J, K)."""
        return where_any(self.array, (label.value,), self.overlapping)

    def layers(self) -> tuple[list[np.ndarray], list[int]]:
        """All segments as label values in as few arrays as it takes that none covers another.

        Returns:
            Arrays of integers (I, J, K), at least one; and for each of `labels` the number of the array that holds it, as `label.value`.
        """
        if not self.overlapping:
            return [self.array], [0] * len(self.labels)
        arrays, places = [np.zeros(self.array.shape, np.uint8)], []
        for label in self.labels:
            mask = self.mask(label)
            place = next((n for n, array in enumerate(arrays) if not array[mask].any()), len(arrays))
            if place == len(arrays):
                arrays.append(np.zeros(self.array.shape, np.uint8))
            arrays[place][mask] = label.value
            places.append(place)
        return arrays, places

    def volume_ml(self, label: Label) -> float:
        """Volume of one segment: number of its voxels times the voxel's volume."""
        return int(np.count_nonzero(self.mask(label))) * self.geometry.voxel_volume_ml
