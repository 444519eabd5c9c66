"""Two contours around each segment: nearly all inside the one is the segment's, nearly all of the segment is inside the other."""

from __future__ import annotations

import json

import numpy as np

from deepseg.errors import UncertaintyError
from deepseg.results import Uncertainty
from deepseg.spec import MAX_OVERLAPPING_LABELS
from deepseg.uncertainty.calibration import SamplerCalibration
from deepseg.uncertainty.conformal import CONTOUR_SHARE
from deepseg.volume import Label, LabelMap

_KINDS = {"inner": f"inside {100 * CONTOUR_SHARE:g} % its own", "outer": f"{100 * CONTOUR_SHARE:g} % of it inside"}


def contours(result: Uncertainty, calibrated: SamplerCalibration | None, level: float) -> LabelMap:
    """Inner and outer contour of each segment that enough calibration cases had, as a label map whose labels overlap: first the inner one.

    Args:
        result: of that sampler.
        calibrated: its calibration.
        level: share of new cases for which each contour is right (`deepseg.uncertainty.conformal.CONTOUR_SHARE`).

    Raises:
        UncertaintyError: the sampler was not calibrated, the level cannot be promised, or there are too many segments for one label map.
    """
    labels = result.prediction.labels
    if calibrated is None or result.recalibrated is None:
        raise UncertaintyError("Contours need a model that was calibrated for this sampler; run deepseg-train calibrate.")
    if 2 * len(labels.labels) > MAX_OVERLAPPING_LABELS:
        raise UncertaintyError(f"{len(labels.labels)} segments have {2 * len(labels.labels)} contours; a label map holds {MAX_OVERLAPPING_LABELS}.")
    array, made = np.zeros(labels.array.shape, np.uint16), []
    told = {"DeepSeg.Contours": json.dumps({"level": level, "share": CONTOUR_SHARE})}
    for label in (label for label in labels.labels if label.value in calibrated.contours):
        probabilities = result.recalibrated[label.value - (1 if labels.overlapping else 0)]
        for kind, threshold in zip(("inner", "outer"), calibrated.contours[label.value].thresholds(level), strict=True):
            array[probabilities >= threshold] |= 1 << len(made)
            made.append(Label(len(made) + 1, f"{label.name}, {_KINDS[kind]} in {100 * level:g} % of cases", label.color, label.terminology))
    return LabelMap(array, labels.geometry, tuple(made), {**labels.attributes, **told}, overlapping=True)
