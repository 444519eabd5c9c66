"""Figures of one image and of what a model made of it, which tell how usual both are and how good the answer may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepseg.geometry import Geometry
from deepseg.spec import ModelSpec
from deepseg.volume import Volume, where_any

QUANTILES = (1, 5, 25, 50, 75, 95, 99)
_EPSILON = 1e-6


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """Of the image alone, as it came.

    Attributes:
        spacing_mm, extent_mm: along right-left, front-back and up-down as the model's orientation orders them.
        tilt_degrees: largest angle between an axis of the grid and the anatomical axis nearest to it.
        intensities: for each channel the quantiles `QUANTILES`, in deviations from the mean.
        sharpness: for each channel the mean magnitude of its gradient, in deviations a voxel, and the deviation of its second differences.
    """

    spacing_mm: np.ndarray
    extent_mm: np.ndarray
    tilt_degrees: float
    intensities: np.ndarray
    sharpness: np.ndarray

    @staticmethod
    def of(volume: Volume, orientation: str) -> ImageFacts:
        turned = volume.geometry.orientation_to(orientation)
        geometry, array = volume.geometry.reoriented(turned), turned.apply(volume.array)
        spacing = np.asarray(geometry.spacing_mm)
        intensities, sharpness = [], []
        for channel in array:
            spread = float(channel.std()) or 1.0
            intensities.append((np.percentile(channel, QUANTILES) - channel.mean()) / spread)
            sharpness.append(np.array(_sharpness(channel)) / spread)
        return ImageFacts(spacing, spacing * geometry.shape, _tilt(geometry), np.array(intensities), np.array(sharpness))


@dataclass(frozen=True, eq=False)
class SegmentFacts:
    """Of one segment.

    Attributes:
        volume_ml: of the segment as it is given.
        likeliest_volume_ml: of the voxels for which the recalibrated probabilities make it the likeliest.
        expected_dice: what Dice would be on average if every voxel were right with its recalibrated probability, 0..1.
        raw_expected_dice: the same by the probabilities as the network gave them.
        band_entropy: mean entropy of its probability against its absence within two voxels of its surface, in nats.
        roughness: voxels at its surface over its voxels to the power of 2/3.
        pieces: connected components.
        extent_mm: of the box around it, along the grid's axes; 0 where it is empty.
        at_border: its voxels on the faces of the image over all of its voxels.
        doubtful: voxels with a probability from 0.1 to 0.9 over the sum of its probabilities.
    """

    volume_ml: float
    likeliest_volume_ml: float
    expected_dice: float
    raw_expected_dice: float
    band_entropy: float
    roughness: float
    pieces: int
    extent_mm: tuple[float, float, float]
    at_border: float
    doubtful: float

    @staticmethod
    def of(mask: np.ndarray, likeliest: np.ndarray, recalibrated: np.ndarray, raw: np.ndarray, geometry: Geometry) -> SegmentFacts:
        """Of masks (I, J, K), as the model gives it and by recalibrated probabilities, and the segment's probabilities (I, J, K)."""
        import SimpleITK as sitk

        count = int(mask.sum())
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        grown, shrunk = (_array(operation(image, [2] * 3)) for operation in (sitk.BinaryDilate, sitk.BinaryErode))
        surface = mask & ~_array(sitk.BinaryErode(image, [1] * 3, sitk.sitkCross))
        band = grown & ~shrunk
        found = np.argwhere(mask)
        extent = (found.max(0) - found.min(0) + 1) * np.asarray(geometry.spacing_mm) if count else np.zeros(3)
        return SegmentFacts(
            count * geometry.voxel_volume_ml,
            int(likeliest.sum()) * geometry.voxel_volume_ml,
            _expected_dice(mask, recalibrated),
            _expected_dice(mask, raw),
            float(_entropy(recalibrated[band]).mean()) if band.any() else float(np.log(2)),
            float(surface.sum()) / max(count, 1) ** (2 / 3),
            int(sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True)).max()),
            tuple(map(float, extent)),
            _on_faces(mask) / max(count, 1),
            float(((recalibrated > 0.1) & (recalibrated < 0.9)).sum()) / max(float(recalibrated.sum(dtype=np.float64)), 1.0),
        )


@dataclass(frozen=True, eq=False)
class Facts:
    """All of one run.

    Attributes:
        image: of the image.
        segments: by label value.
        deep: of the network, see `DeepFeatures.mean`; None where the network tells nothing.
    """

    image: ImageFacts
    segments: dict[int, SegmentFacts]
    deep: np.ndarray | None


def facts_of(part: Volume, array: np.ndarray, recalibrated: np.ndarray, raw: np.ndarray, deep: np.ndarray | None, spec: ModelSpec) -> Facts:
    """Of a volume, its label map (I, J, K), probabilities (L, I, J, K) and deep features, all on the volume's grid."""
    likeliest = recalibrated > 0.5 if spec.overlapping else np.arange(len(recalibrated))[:, None, None, None] == recalibrated.argmax(0)
    segments = {}
    for label in spec.labels:
        mask, channel = where_any(array, (label.value,), spec.overlapping), label.value - spec.overlapping
        segments[label.value] = SegmentFacts.of(mask, likeliest[channel], recalibrated[channel], raw[channel], part.geometry)
    return Facts(ImageFacts.of(part, spec.orientation), segments, deep)


def _sharpness(channel: np.ndarray) -> tuple[float, float]:
    axes = [axis for axis in range(3) if channel.shape[axis] > 2]
    if not axes:
        return 0.0, 0.0
    gradient = np.mean([np.abs(np.diff(channel, axis=axis)).mean() for axis in axes])
    second = np.sqrt(np.mean([np.diff(channel, 2, axis).var() for axis in axes]))
    return float(gradient), float(second)


def _tilt(geometry: Geometry) -> float:
    return float(np.degrees(np.arccos(np.abs(geometry.directions).max(0).clip(0, 1))).max())


def _on_faces(mask: np.ndarray) -> int:
    """Voxels on each face of the grid, those on an edge for both of its faces; a grid of one slice has no faces along it."""
    return sum(int(mask.take(end, axis).sum()) for axis in range(3) if mask.shape[axis] > 1 for end in (0, -1))


def _expected_dice(mask: np.ndarray, probabilities: np.ndarray) -> float:
    inside, total = float(probabilities[mask].sum(dtype=np.float64)), float(probabilities.sum(dtype=np.float64))
    return 2 * inside / max(int(mask.sum()) + total, _EPSILON)


def _entropy(p: np.ndarray) -> np.ndarray:
    p = p.astype(np.float64).clip(_EPSILON, 1 - _EPSILON)
    return -(p * np.log(p) + (1 - p) * np.log1p(-p))


def _array(image: object) -> np.ndarray:
    import SimpleITK as sitk

    return sitk.GetArrayFromImage(image).astype(bool)
