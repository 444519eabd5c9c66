"""From samples on the model's grid to everything that is said of them on the input's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from deepseg.box import Box
from deepseg.components import keep_largest
from deepseg.preprocessing import Prepared
from deepseg.progress import Tracker
from deepseg.region import Where, labels_in_whole, probabilities_in_whole
from deepseg.restoring import label_codes
from deepseg.results import Finding, Prediction, SegmentReport, Uncertainty, UncertaintyMap
from deepseg.spec import ModelSpec
from deepseg.staleness import SEGMENTS, segments_sha256
from deepseg.uncertainty.calibration import Calibration, SamplerCalibration
from deepseg.uncertainty.facts import facts_of
from deepseg.uncertainty.measures import ERROR_PROBABILITY, MEASURES, Measure, Tally, largest_value
from deepseg.uncertainty.segment_reports import segment_reports
from deepseg.volume import LabelMap, Volume

USUAL_LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class Assembly:
    """One run's samples, and what is needed to say something of them.

    Attributes:
        volume, part, where, roi: the image, what of it was segmented, and where that lies.
        spec, calibration, sampler: of the model, and the name of the sampler.
        tally, prepared, deep: what the passes gave.
        seed: what they were drawn from; None where nothing was drawn.
        made_by, notes, tracker: provenance, notes and clock of the run.
    """

    volume: Volume
    part: Volume
    where: Where
    roi: Box | None
    spec: ModelSpec
    calibration: Calibration | None
    sampler: str
    tally: Tally
    prepared: Prepared
    deep: np.ndarray | None
    seed: int | None
    made_by: dict[str, str]
    notes: tuple[str, ...]
    tracker: Tracker

    def answer(self) -> tuple[np.ndarray, np.ndarray]:
        """Label map (I, J, K) and mean probabilities, float32 (L, I, J, K), of the part that was segmented."""
        spec, mean = self.spec, self._on_part(self.tally.mean())
        if not spec.overlapping:
            mean[0] += 1 - mean.sum(0)  # background where nothing was seen
        array = label_codes(torch.from_numpy(mean), spec, 0.5).numpy()
        for value in spec.output.keep_largest:
            keep_largest(array, value, spec.overlapping)
        return array, mean

    def uncertainty(self, level: float = USUAL_LEVEL) -> Uncertainty:
        """All of it, with intervals that hold for so large a share of new cases where this sampler was calibrated.

        Raises:
            UncertaintyError: the level cannot be promised.
        """
        spec, tally, geometry = self.spec, self.tally, self.volume.geometry
        calibrated = self.calibration.of(self.sampler, tally.count) if self.calibration else None
        array, mean = self.answer()
        recalibrated = calibrated.recalibration.apply(torch.from_numpy(mean), spec.overlapping).numpy() if calibrated else None
        measured = {name: self._on_part(tally.measure(name)[None])[0] for name in MEASURES}
        reports, findings = self._said(array, mean, recalibrated, measured["predictive_entropy"], calibrated, level)
        maps = {name: self._map(name, MEASURES[name], values) for name, values in measured.items()}
        if recalibrated is not None:
            wrong = _error_probability(array, recalibrated, spec.overlapping)
            maps["error_probability"] = self._map("error_probability", ERROR_PROBABILITY, wrong)
        labels = LabelMap(labels_in_whole(array, self.roi, self.where, geometry), geometry, spec.labels, self.made_by, spec.overlapping)
        made_by = {**self.made_by, SEGMENTS: segments_sha256(labels)}
        labels = replace(labels, attributes=made_by)
        whole = self._whole(mean)
        agreement = dict(zip([label.value for label in spec.labels], tally.pairwise_dice(), strict=True)) if tally.count > 1 else None
        prediction = Prediction(labels, whole, made_by, self.tracker.finish(), self.notes)
        return Uncertainty(
            prediction,
            maps,
            agreement,
            self.sampler,
            tally.count,
            self.seed,
            reports,
            findings,
            calibrated is not None,
            None if recalibrated is None else self._whole(recalibrated),
            (promise(spec, self.calibration, calibrated, self.sampler, tally.count, level, bool(findings)),),
        )

    def _said(
        self,
        array: np.ndarray,
        mean: np.ndarray,
        recalibrated: np.ndarray | None,
        entropy: np.ndarray,
        calibrated: SamplerCalibration | None,
        level: float,
    ) -> tuple[tuple[SegmentReport, ...], tuple[Finding, ...]]:
        facts = facts_of(self.part, array, mean if recalibrated is None else recalibrated, mean, self.deep, self.spec)
        findings = tuple(self.calibration.guard.after(facts, self.spec)) if self.calibration else ()
        return segment_reports(array, entropy, facts, self.spec, self.calibration, calibrated, level, bool(findings)), findings

    def _map(self, name: str, measure: Measure, values: np.ndarray) -> UncertaintyMap:
        largest = 1.0 if measure is ERROR_PROBABILITY else largest_value(name, self.spec.channel_count, self.spec.overlapping)
        whole = labels_in_whole(values, self.roi, self.where, self.volume.geometry)
        return UncertaintyMap(whole, self.volume.geometry, name, measure.title, measure.unit, measure.kind, largest)

    def _whole(self, part: np.ndarray) -> np.ndarray:
        return probabilities_in_whole(part, self.roi, self.where, self.volume.geometry, self.spec.overlapping)

    def _on_part(self, values: torch.Tensor) -> np.ndarray:
        """Values (C, I, J, K) of the model's grid on the grid that was segmented; 0 where nothing was seen."""
        result = np.zeros((len(values), *self.part.geometry.shape), np.float32)
        into = self.prepared.orientation.apply(result)[(slice(None), *self.prepared.cut)]
        for channel, to in zip(values, into, strict=True):
            to[...] = self.prepared.back.resample(channel[None])[0].numpy()
        return result


def promise(
    spec: ModelSpec, calibration: Calibration | None, calibrated: SamplerCalibration | None, sampler: str, samples: int, level: float, unusual: bool
) -> str:
    """What the figures mean, in a sentence or two."""
    if calibration is None:
        return f"The model {spec.id} was not calibrated: its maps rank voxels by doubt, they say nothing of how often it is wrong."
    if calibrated is None:
        known = ", ".join(f"{item.sampler} with {item.samples}" for item in calibration.samplers)
        return (
            f"The model {spec.id} was not calibrated for {sampler} with {samples} samples, so there are no intervals, verdicts or probabilities, "
            f"and regions are only ranked. It was for: {known}."
        )
    if unusual:
        return f"This image is unlike the {calibration.cases} calibration cases: no interval of a volume can be promised."
    return (
        f"For new cases from the same source as the {calibration.cases} calibration cases, {100 * level:g} % of the intervals contain the true "
        "volume (the model's card names the source); nothing is known of other scanners, diseases or populations."
    )


def _error_probability(array: np.ndarray, recalibrated: np.ndarray, overlapping: bool) -> np.ndarray:
    """Probability that a voxel's label is wrong, or where labels may overlap that any of them is at least."""
    if not overlapping:
        return 1 - np.take_along_axis(recalibrated, array[None].astype(np.intp), 0)[0]
    present = [(array >> n) & 1 == 1 for n in range(len(recalibrated))]
    return np.max([np.where(there, 1 - p, p) for there, p in zip(present, recalibrated, strict=True)], axis=0)
