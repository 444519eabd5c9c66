"""Where to look: connected regions of doubt, those first that could change most."""

from __future__ import annotations

import numpy as np

from deepseg.results import UncertainRegion, Uncertainty

CONTESTED = 0.5
"""A voxel belongs to a region where one minus the lead of its likeliest class over the second exceeds this."""
SMALLEST_ML = 0.005


def uncertain_regions(result: Uncertainty, contested: float = CONTESTED, smallest_ml: float = SMALLEST_ML) -> list[UncertainRegion]:
    """The regions (26-connected) in which the lead of the likeliest class is small, ranked by `change_ml`.

    Args:
        result: with probabilities and the map 'margin'.
        contested: what a voxel's margin measure must exceed, in 0..1.
        smallest_ml: regions below this are left out.
    """
    import SimpleITK as sitk

    doubt, probabilities, geometry = result.maps["margin"].values, result.prediction.probabilities, result.prediction.geometry
    labels, voxel_ml = result.prediction.labels.labels, result.prediction.geometry.voxel_volume_ml
    mask = sitk.GetImageFromArray((doubt > contested).astype(np.uint8))
    numbers = sitk.GetArrayFromImage(sitk.ConnectedComponent(mask, True))
    overlapping = result.prediction.labels.overlapping
    wrong = 1 - probabilities.max(0) if not overlapping else np.minimum(probabilities, 1 - probabilities).max(0)
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
        found.append(UncertainRegion(labels[most], position, size_ml, change, float(doubt[box][inside].mean()), float(local.max())))
    return sorted(found, key=lambda region: -region.change_ml)


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
