"""How well two segmentations agree (definitions: Maier-Hein et al. 2024, "Metrics reloaded").

Masks are boolean (I, J, K); spacing is in mm along those axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk


def dice(predicted: np.ndarray, reference: np.ndarray) -> float:
    """Dice coefficient of two masks: 2 |A and B| / (|A| + |B|), 1 where both are empty."""
    total = int(predicted.sum()) + int(reference.sum())
    return 2 * int((predicted & reference).sum()) / total if total else 1.0


def iou(predicted: np.ndarray, reference: np.ndarray) -> float:
    """Intersection over union of two masks (Jaccard index), 1 where both are empty."""
    union = int((predicted | reference).sum())
    return int((predicted & reference).sum()) / union if union else 1.0


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances in mm from each surface voxel of one mask to the other mask's surface.

    A surface voxel is a voxel of the mask with a face neighbour outside it; distances run between voxel centres.
    """

    predicted_to_reference: np.ndarray
    reference_to_predicted: np.ndarray

    @staticmethod
    def between(predicted: np.ndarray, reference: np.ndarray, spacing_mm: tuple[float, float, float]) -> SurfaceDistances:
        """Measure two masks; a mask without voxels gives no distances on its side and infinite ones on the other."""
        # All surface voxels lie in the box around both masks; a distance map of the whole image would cost most of the time.
        where = _box_around(predicted | reference)
        surfaces = [_surface(predicted[where]), _surface(reference[where])]
        maps = [_distance_to(surface, spacing_mm) for surface in surfaces]
        return SurfaceDistances(maps[1][surfaces[0]], maps[0][surfaces[1]])

    def hausdorff_95_mm(self) -> float:
        """The larger of the two sides' 95th percentiles; 0 where both masks are empty, infinite where one is."""
        sides = [side for side in (self.predicted_to_reference, self.reference_to_predicted) if side.size]
        if any(np.isinf(side).any() for side in sides):
            return float("inf")
        return max((float(np.percentile(side, 95)) for side in sides), default=0.0)

    def average_mm(self) -> float:
        """Average symmetric surface distance (ASSD): mean over the surface voxels of both; 0 where both masks are empty, infinite where one is."""
        distances = np.concatenate([self.predicted_to_reference, self.reference_to_predicted])
        return float(distances.mean()) if distances.size else 0.0

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both surfaces that lies within `tolerance_mm` of the other (Nikolov et al. 2021), counted in surface voxels."""
        distances = np.concatenate([self.predicted_to_reference, self.reference_to_predicted])
        return float((distances <= tolerance_mm).mean()) if distances.size else 1.0


def _box_around(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds all of a mask; everything where it is empty."""
    if not mask.any():
        return (slice(None),) * mask.ndim
    lines = [np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis))) for axis in range(mask.ndim)]
    return tuple(slice(int(line[0]), int(line[-1]) + 1) for line in lines)


def _surface(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    inner = padded.copy()
    for axis in range(3):
        inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    return (padded & ~inner)[1:-1, 1:-1, 1:-1]


def _distance_to(surface: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Distance of every voxel centre to the nearest surface voxel's centre, mm."""
    if not surface.any():
        return np.full(surface.shape, np.inf)
    image = sitk.GetImageFromArray(surface.astype(np.uint8))
    image.SetSpacing(spacing_mm[::-1])
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.maximum(sitk.GetArrayFromImage(distance), 0.0)
