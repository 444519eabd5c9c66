"""What is promised against what comes true, on held-out cases: `guarantees.py [--data MSD] [--model NAME_OR_FOLDER] [--sampler single-pass]`.

Volume intervals and contours are judged over random halves of the calibrate and test parts of the split, fitted on one half, tested on the other.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import betabinom
from table import show
from tqdm import tqdm
from volumes import data_folder

from deepseg import api
from deepseg.uncertainty.calibration import load_calibration
from deepseg.uncertainty.conformal import ContourScores, VolumeScores
from deepseg_train.calibration.answers import Answer, Way
from deepseg_train.data import open_dataset
from deepseg_train.data.split import load_split

SPLIT = Path(__file__).resolve().parents[2] / "train/configs/hippocampus_split.json"
LEVEL, HALVES = 0.9, 1000


@dataclass
class Scores:
    """Of one segment, case by case."""

    true_ml: list[float] = field(default_factory=list)
    likeliest_ml: list[float] = field(default_factory=list)
    outer: list[float] = field(default_factory=list)
    inner: list[float] = field(default_factory=list)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=(data_folder() or Path()) / "msd_hippocampus")
    parser.add_argument("--model", default="hippocampus-mr")
    parser.add_argument("--sampler", default="single-pass")
    options = parser.parse_args()
    bundle, split = api.load_model(options.model), load_split(SPLIT, open_dataset(options.data).cases)
    cases = split["calibrate"] + split["test"]
    scores = gathered(bundle, options.sampler, cases)
    rows = [("promise", "segment", "mean coverage", "5th to 95th percentile", "beta-binomial", "median width / volume")]
    halves = [np.random.default_rng(n).permutation(len(cases)) for n in range(HALVES)]
    for name, found in scores.items():
        rows.append(("volume", name, *volume_row(found, halves)))
    for kind in ("outer", "inner"):
        for name, found in scores.items():
            if found.outer:
                rows.append((f"{kind} contour", name, *contour_row(found, kind, halves)))
    show(f"{100 * LEVEL:g} % promises over {HALVES} random halves of {len(cases)} held-out cases; {bundle.spec.id}, {options.sampler}", rows)


def gathered(bundle: api.ModelBundle, sampler: str, cases: list) -> dict[str, Scores]:
    """By segment and group; cases' answers are mended by the recalibration that the model holds, which was fitted on the calibrate part."""
    calibration, spec = load_calibration(bundle), bundle.spec
    way = next(way for way in calibration.ways if way.sampler == sampler)
    segments = {**{label.name: (label.value,) for label in spec.labels}, **calibration.groups}
    found = {name: Scores() for name in segments}
    for case in tqdm(cases, unit="case"):
        answer = Answer.to(*case.read(spec), bundle, Way(way.sampler, way.samples, None))
        mended = answer.mended(way.recalibration, spec.overlapping)
        likeliest, voxel_ml = mended.argmax(0), answer.volume.geometry.voxel_volume_ml
        for name, values in segments.items():
            found[name].true_ml.append(float(np.isin(answer.reference, values).sum()) * voxel_ml)
            found[name].likeliest_ml.append(float(np.isin(likeliest, values).sum()) * voxel_ml)
        for label in spec.labels:
            contours = ContourScores.of([mended[label.value]], [answer.reference == label.value])
            found[label.name].outer.extend(contours.outer)
            found[label.name].inner.extend(contours.inner)
    return found


def volume_row(found: Scores, halves: list[np.ndarray]) -> tuple[str, ...]:
    """Coverage and width of volume intervals."""
    true, likeliest = np.array(found.true_ml), np.array(found.likeliest_ml)
    covered, widths = [], []
    for order in halves:
        fit, test = np.array_split(order, 2)
        low, high = VolumeScores.of(true[fit], likeliest[fit]).interval_ml(1.0, LEVEL)
        ratio = true[test] / likeliest[test]
        covered.append(((low <= ratio) & (ratio <= high)).mean())
        widths.append((high - low) * np.median(likeliest[test] / true[test]))
    return (*coverage(covered, len(true)), f"{np.median(widths):.3f}")


def contour_row(found: Scores, kind: str, halves: list[np.ndarray]) -> tuple[str, ...]:
    """Coverage of contours: the share of cases whose own threshold the chosen one respects."""
    scores = np.array(getattr(found, kind))
    covered = []
    for order in halves:
        fit, test = np.array_split(order, 2)
        other = tuple(scores[fit])
        inner, outer = ContourScores(other, other).thresholds(LEVEL)
        covered.append((scores[test] >= outer).mean() if kind == "outer" else (scores[test] <= inner).mean())
    return (*coverage(covered, len(scores)), "")


def coverage(covered: list[float], count: int) -> tuple[str, str, str]:
    """Mean and percentiles, beside those of exchangeable scores."""
    fit, test = count - count // 2, count // 2
    given_up = int(np.floor((fit + 1) * (1 - LEVEL) + 1e-9))
    expected = betabinom(test, fit + 1 - given_up, given_up)
    low, high = np.percentile(covered, [5, 95])
    return f"{np.mean(covered):.3f}", f"{low:.3f} to {high:.3f}", f"{expected.ppf(0.05) / test:.3f} to {expected.ppf(0.95) / test:.3f}"


if __name__ == "__main__":
    main()
