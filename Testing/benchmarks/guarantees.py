"""What is guaranteed against what comes true, on held-out cases: `guarantees.py [--data MSD] [--model NAME_OR_FOLDER] [--sampler single-pass]`.

The calibrate and test parts of the split are halved at random, again and again. On one half the recalibration is fitted by the model's method and
volume intervals and contours are set, as `deepseg-train calibrate` does it, with cross-fitted scores; they are tested on the other half, on which
nothing was fitted. Six fits a half would take hours with all voxels that `calibrate` uses; here each fit has about a thousand voxels of each case.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import betabinom
from table import show
from tqdm import tqdm
from volumes import data_folder

from deepseg import api
from deepseg.uncertainty.calibration import load_calibration
from deepseg.uncertainty.conformal import ContourScores, VolumeScores, contour_thresholds
from deepseg.uncertainty.recalibration import Recalibration
from deepseg_train.calibration.answers import CalibrationAnswer, Sampling
from deepseg_train.calibration.fit import METHODS, cross_fit
from deepseg_train.calibration.voxels import Voxels
from deepseg_train.data import open_dataset
from deepseg_train.data.split import load_split

SPLIT = Path(__file__).resolve().parents[2] / "train/configs/hippocampus_split.json"
LEVEL, HALVES = 0.9, 200
KEPT = (1000, 200)
"""Voxels of each case to fit on, at most: in doubt, and beyond doubt."""


@dataclass(frozen=True)
class Score:
    """Of one segment of one case: volumes in mL, and thresholds of its contours, which a group of segments lacks."""

    true_ml: float
    likeliest_ml: float
    outer: float | None
    inner: float | None


@dataclass(frozen=True, eq=False)
class Cases:
    """Answers to all cases, and what halves of them are judged with."""

    answers: list[CalibrationAnswer]
    voxels: list[Voxels]
    method: str
    segments: dict[str, tuple[int, ...]]
    spec: api.ModelSpec

    def scores(self, number: int, recalibration: Recalibration) -> dict[str, Score]:
        """One case's, by segment and group."""
        answer = self.answers[number]
        probabilities = answer.recalibrated(recalibration, self.spec.overlapping)
        likeliest, voxel_ml = probabilities.argmax(0), answer.volume.geometry.voxel_volume_ml
        found = {}
        for name, values in self.segments.items():
            mask = np.isin(answer.reference, values)
            contours = contour_thresholds(probabilities[values[0]], mask) if len(values) == 1 else (None, None)
            found[name] = Score(float(mask.sum()) * voxel_ml, float(np.isin(likeliest, values).sum()) * voxel_ml, *contours)
        return found

    def halves(self, order: np.ndarray) -> tuple[list[dict[str, Score]], list[dict[str, Score]]]:
        """Scores of the half that is fitted on, each by a fit without its fold, and of the half that is tested, by the fit to all of the first."""
        fit, test = np.array_split(order, 2)
        voxels = [self.voxels[n] for n in fit]
        cross = cross_fit(self.method, voxels, self.spec.overlapping)
        used = METHODS[self.method](Voxels.together(voxels), self.spec.overlapping)
        return [self.scores(n, cross.without(place)) for place, n in enumerate(fit)], [self.scores(n, used) for n in test]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=(data_folder() or Path()) / "msd_hippocampus")
    parser.add_argument("--model", default="hippocampus-mr")
    parser.add_argument("--sampler", default="single-pass")
    options = parser.parse_args()
    bundle, split = api.load_model(options.model), load_split(SPLIT, open_dataset(options.data).cases)
    cases = answered(bundle, options.sampler, split["calibrate"] + split["test"])
    count = len(cases.answers)
    halves = [cases.halves(np.random.default_rng(n).permutation(count)) for n in tqdm(range(HALVES), desc="halves")]
    rows = [("guarantee", "segment", "mean coverage", "5th to 95th percentile", "beta-binomial", "median width / volume")]
    for name in cases.segments:
        judged = [volumes_covered(*(of_segment(half, name) for half in pair)) for pair in halves]
        widths = [width for _, width in judged]
        rows.append(("volume", name, *coverage([share for share, _ in judged], count), f"{np.median(widths):.3f}"))
    for kind in ("outer", "inner"):
        for name in (name for name, values in cases.segments.items() if len(values) == 1):
            covered = [contours_covered(*(of_segment(half, name) for half in pair), kind) for pair in halves]
            rows.append((f"{kind} contour", name, *coverage(covered, count), ""))
    show(f"{100 * LEVEL:g} % guarantees over {HALVES} random halves of {count} held-out cases; {bundle.spec.id}, {options.sampler}", rows)


def answered(bundle: api.ModelBundle, sampler: str, cases: list) -> Cases:
    """Run the model on all cases."""
    calibration, spec = load_calibration(bundle), bundle.spec
    calibrated = next(item for item in calibration.samplers if item.sampler == sampler)
    answers = [CalibrationAnswer.of(case, bundle, Sampling(calibrated.sampler, calibrated.samples, None)) for case in tqdm(cases, unit="case")]
    voxels = [Voxels.of_case(answer.mean, answer.target(spec), n, KEPT) for n, answer in enumerate(answers)]
    return Cases(answers, voxels, calibrated.method, {**{label.name: (label.value,) for label in spec.labels}, **calibration.groups}, spec)


def of_segment(half: Sequence[dict[str, Score]], name: str) -> list[Score]:
    """One segment's scores."""
    return [scores[name] for scores in half]


def volumes_covered(fit: Sequence[Score], test: Sequence[Score]) -> tuple[float, float]:
    """Share of the tested cases whose true volume lies in its interval, and the intervals' width as a share of the true volume."""
    low, high = VolumeScores.of([s.true_ml for s in fit], [s.likeliest_ml for s in fit]).interval_ml(1.0, LEVEL)
    ratio = np.array([s.true_ml / s.likeliest_ml for s in test])
    return float(((low <= ratio) & (ratio <= high)).mean()), float((high - low) * np.median(1 / ratio))


def contours_covered(fit: Sequence[Score], test: Sequence[Score], kind: str) -> float:
    """Share of the tested cases whose own threshold the chosen one respects."""
    inner, outer = ContourScores(tuple(s.outer for s in fit), tuple(s.inner for s in fit)).thresholds(LEVEL)
    own = np.array([getattr(s, kind) for s in test])
    return float((own >= outer).mean() if kind == "outer" else (own <= inner).mean())


def coverage(covered: list[float], count: int) -> tuple[str, str, str]:
    """Mean and percentiles, beside those of exchangeable scores."""
    fit, test = count - count // 2, count // 2
    given_up = int(np.floor((fit + 1) * (1 - LEVEL) + 1e-9))
    expected = betabinom(test, fit + 1 - given_up, given_up)
    low, high = np.percentile(covered, [5, 95])
    return f"{np.mean(covered):.3f}", f"{low:.3f} to {high:.3f}", f"{expected.ppf(0.05) / test:.3f} to {expected.ppf(0.95) / test:.3f}"


if __name__ == "__main__":
    main()
