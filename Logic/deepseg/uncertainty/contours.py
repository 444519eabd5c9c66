"""Two contours around each segment, one inside of which it almost surely is, one outside of which it almost surely is not."""

from __future__ import annotations

import numpy as np

from deepseg.errors import UncertaintyError
from deepseg.results import Uncertainty
from deepseg.spec import MAX_OVERLAPPING_LABELS
from deepseg.uncertainty.calibration import WayCalibration
from deepseg.volume import Label, LabelMap


def contours(result: Uncertainty, way: WayCalibration | None, level: float) -> LabelMap:
    """Inner and outer contour of each segment that enough calibration cases had, as a label map whose labels overlap: first the inner one.

    Args:
        result: of that way of sampling.
        way: its calibration.
        level: share of new cases in which each contour keeps its promise (`deepseg.uncertainty.conformal.CONTOUR_SHARE`).

    Raises:
        UncertaintyError: the way was not calibrated, the level cannot be promised, or there are too many segments for one label map.
    """
    labels = result.prediction.labels
    if way is None or result.mended is None:
        raise UncertaintyError("Contours need a model that was calibrated for this way of sampling; run deepseg-train calibrate.")
    if 2 * len(labels.labels) > MAX_OVERLAPPING_LABELS:
        raise UncertaintyError(f"{len(labels.labels)} segments have {2 * len(labels.labels)} contours; a label map holds {MAX_OVERLAPPING_LABELS}.")
    array, made = np.zeros(labels.array.shape, np.uint16), []
    for label in (label for label in labels.labels if label.value in way.contours):
        probabilities = result.mended[label.value - (1 if labels.overlapping else 0)]
        for kind, threshold in zip(("inner", "outer"), way.contours[label.value].thresholds(level), strict=True):
            array[probabilities >= threshold] |= 1 << len(made)
            made.append(Label(len(made) + 1, f"{label.name}, {kind} {100 * level:g} %", label.color, label.terminology))
    return LabelMap(array, labels.geometry, tuple(made), labels.attributes, overlapping=True)
