"""What one held-out case tells of how far a model's answers can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepseg import api
from deepseg.uncertainty.conformal import contour_thresholds
from deepseg.uncertainty.ood import Guard
from deepseg.uncertainty.recalibration import Recalibration
from deepseg_train.calibration.answers import CalibrationAnswer, Sampling, degraded_copies
from deepseg_train.calibration.quality import Row, quality_rows
from deepseg_train.data.cases import Case, naming

DRAWS = 3
"""How often a held-out case is degraded in each way."""


@dataclass(frozen=True, eq=False)
class CaseScores:
    """Of one case; a few numbers, whatever the size of its image.

    Attributes:
        volumes: true and likeliest volume in mL, by the name of a segment or of a group of them.
        contours: outer and inner threshold by label value (`deepseg.uncertainty.conformal.contour_thresholds`); of labels that the case has.
        quality: segments of the image as it is and degraded.
    """

    volumes: dict[str, tuple[float, float]]
    contours: dict[int, tuple[float, float]]
    quality: list[Row]


def case_scores(
    case: Case,
    number: int,
    bundle: api.ModelBundle,
    sampling: Sampling,
    recalibration: Recalibration,
    segments: dict[str, tuple[int, ...]],
    guard: Guard,
) -> CaseScores:
    """Run the model on a case as it is and degraded, and compare with the truth.

    Args:
        case: which.
        number: its own, from which the degradations are drawn.
        bundle: the model.
        sampling: with which sampler, and how many samples.
        recalibration: a fit that did not see the case. One that did would suit it better than a new case, and intervals would be too narrow.
        segments: label values by the name of what they make up.
        guard: the model's.

    Raises:
        DatasetError: the case cannot be read, or is nothing for the model; the message names it.
    """
    spec = bundle.spec
    with naming(case):
        volume, reference = case.read(spec)
        answer = CalibrationAnswer.to(volume, reference, bundle, sampling)
        facts = answer.facts(recalibration, spec)
        quality = quality_rows(facts, answer.dice(spec), guard, spec)
        for _, *image in degraded_copies(volume, reference, number, DRAWS):
            copy = CalibrationAnswer.to(*image, bundle, sampling)
            quality += quality_rows(copy.facts(recalibration, spec), copy.dice(spec), guard, spec)
    true = {name: float(np.isin(answer.reference, values).sum()) * volume.geometry.voxel_volume_ml for name, values in segments.items()}
    likeliest = {name: sum(facts.segments[value].likeliest_volume_ml for value in values) for name, values in segments.items()}
    return CaseScores({name: (true[name], likeliest[name]) for name in segments}, _contours(answer, recalibration, spec), quality)


def _contours(answer: CalibrationAnswer, recalibration: Recalibration, spec: api.ModelSpec) -> dict[int, tuple[float, float]]:
    probabilities = answer.recalibrated(recalibration, spec.overlapping)
    masks = {label.value: answer.reference == label.value for label in spec.labels}
    return {value: contour_thresholds(probabilities[value - spec.overlapping], mask) for value, mask in masks.items() if mask.any()}
