"""A line on each segment: its volume with what is promised about it, the quality to expect, and what to do with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepseg.flags import flags_of
from deepseg.results import SegmentReport
from deepseg.spec import ModelSpec
from deepseg.uncertainty.calibration import Calibration, SamplerCalibration
from deepseg.uncertainty.facts import Facts
from deepseg.uncertainty.quality import quality_figures
from deepseg.volume import where_any


def segment_reports(
    array: np.ndarray,
    entropy: np.ndarray,
    facts: Facts,
    spec: ModelSpec,
    calibration: Calibration | None,
    calibrated: SamplerCalibration | None,
    level: float,
    unusual: bool,
) -> tuple[SegmentReport, ...]:
    """Reports on each segment and each group of them.

    Args:
        array: label map (I, J, K).
        entropy: predictive entropy (I, J, K).
        facts: of the run.
        spec: the model's.
        calibration, calibrated: where the model, and this sampler, was calibrated.
        level: share of new cases that intervals are to hold.
        unusual: whether something is unlike the training images, so that nothing is accepted unseen.

    Raises:
        UncertaintyError: the level cannot be promised from so few calibration cases.
    """
    figures = quality_figures(facts, calibration.guard, spec) if calibration and calibrated else {}
    reports, rejected = [], set()
    for label in spec.labels:
        mask = where_any(array, (label.value,), spec.overlapping)
        expected = low_high = verdict = None
        if calibrated and mask.any():
            expected = float(calibrated.quality.predict(figures[label.value]))
            low_high = calibrated.quality.interval(expected, level)
        if calibrated:
            verdict = calibrated.quality.verdict(expected, unusual)
        interval = None if unusual or verdict == "reject" else _volume_interval(label.name, [label.value], facts, calibrated, level)
        if verdict == "reject":
            rejected.add(label.value)
        reports.append(_report(label.name, [label.value], level, interval, expected, low_high, verdict, mask, entropy, facts, calibrated))
    for name, values in calibration.groups.items() if calibration else ():
        mask = where_any(array, values, spec.overlapping)
        interval = None if unusual or rejected & set(values) else _volume_interval(name, values, facts, calibrated, level)
        reports.append(_report(name, values, level, interval, None, None, None, mask, entropy, facts, calibrated))
    return tuple(reports)


def _report(
    name: str,
    values: Sequence[int],
    level: float,
    interval: tuple[float, float] | None,
    expected: float | None,
    low_high: tuple[float, float] | None,
    verdict: str | None,
    mask: np.ndarray,
    entropy: np.ndarray,
    facts: Facts,
    calibrated: SamplerCalibration | None,
) -> SegmentReport:
    mean = float(entropy[mask].mean()) if mask.any() else float("nan")
    volume = sum(facts.segments[value].volume_ml for value in values)
    likeliest = sum(facts.segments[value].likeliest_volume_ml for value in values) if calibrated else None
    return SegmentReport(name, volume, likeliest, level, interval, expected, low_high, verdict, mean, tuple(flags_of(mask)))


def _volume_interval(
    name: str, values: Sequence[int], facts: Facts, calibrated: SamplerCalibration | None, level: float
) -> tuple[float, float] | None:
    volume = sum(facts.segments[value].likeliest_volume_ml for value in values)
    if calibrated is None or name not in calibrated.volumes or volume <= 0:
        return None
    return calibrated.volumes[name].interval_ml(volume, level)
