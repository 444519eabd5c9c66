"""Where to look: connected regions of doubt, those first that could change most."""

from __future__ import annotations

import numpy as np

from deepseg.results import UncertainRegion, Uncertainty

CONTESTED = {"error_probability": 0.25, "margin": 0.5}
"""A voxel belongs to a region where its measure exceeds this: both say that a label of two has less than three quarters."""
SMALLEST_ML = 0.005
_SMOOTHING, _PASS = 1.5, 0.02
"""Variance in voxels, and how much lower a pass must lie than the doubt on both of its sides."""


def uncertain_regions(result: Uncertainty, smallest_ml: float = SMALLEST_ML) -> list[UncertainRegion]:
    """The regions in which the label is in doubt, ranked by `change_ml`; by recalibrated probabilities where there are any.

    Args:
        result: with probabilities and the map 'margin'.
        smallest_ml: regions below this are left out.
    """
    measure = "error_probability" if result.recalibrated is not None else "margin"
    probabilities = result.prediction.probabilities if result.recalibrated is None else result.recalibrated
    doubt, geometry = result.maps[measure].values, result.prediction.geometry
    labels, voxel_ml = result.prediction.labels.labels, result.prediction.geometry.voxel_volume_ml
    numbers = _numbered(doubt, CONTESTED[measure])
    overlapping = result.prediction.labels.overlapping
    wrong = 1 - probabilities.max(0) if not overlapping else np.minimum(probabilities, 1 - probabilities).max(0)
    if measure == "error_probability":
        wrong = doubt
    # A label gains or loses where it is neither certain nor excluded.
    moving = np.minimum(probabilities, 1 - probabilities)[0 if overlapping else 1 :]
    found = []
    for number, box in _boxes(numbers):
        inside = numbers[box] == number
        size_ml = float(inside.sum()) * voxel_ml
        if size_ml < smallest_ml:
            continue
        local = np.where(inside, doubt[box], -1)
        peak = np.unravel_index(local.argmax(), local.shape)
        voxel = [int(at) + part.start for at, part in zip(peak, box, strict=True)]
        most = int(moving[(slice(None), *box)][:, inside].sum(1).argmax())
        position = tuple(float(x) for x in (geometry.ijk_to_ras @ [*voxel, 1.0])[:3])
        change = float(wrong[box][inside].sum()) * voxel_ml
        found.append(UncertainRegion(labels[most], position, size_ml, change, measure, float(doubt[box][inside].mean()), float(local.max())))
    return sorted(found, key=lambda region: -region.change_ml)


def _numbered(doubt: np.ndarray, contested: float) -> np.ndarray:
    """Numbers of the regions, int (I, J, K), 0 elsewhere. Doubt lies like a shell around every segment; it is parted at its passes."""
    import SimpleITK as sitk

    mask = sitk.GetImageFromArray((doubt > contested).astype(np.uint8))
    smooth = sitk.DiscreteGaussian(sitk.GetImageFromArray(doubt.astype(np.float32)), [_SMOOTHING] * 3)
    basins = sitk.MorphologicalWatershed(-smooth, _PASS, False, True)
    return sitk.GetArrayFromImage(sitk.ScalarConnectedComponent(sitk.Mask(basins, mask), mask, 0, True))


def _boxes(numbers: np.ndarray) -> list[tuple[int, tuple[slice, slice, slice]]]:
    """Smallest box around each component (I, J, K)."""
    import SimpleITK as sitk

    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputePerimeterOff()
    statistics.Execute(sitk.GetImageFromArray(numbers))
    boxes = []
    for number in statistics.GetLabels():
        start, size = np.array(statistics.GetBoundingBox(number)).reshape(2, 3)[:, ::-1]
        boxes.append((number, tuple(slice(int(s), int(s + n)) for s, n in zip(start, size, strict=True))))
    return boxes
