"""Samplers against each other on held-out cases: `uncertainty.py [--data MSD] [--model MODEL] [--also FOLDER:SAMPLER[:SAMPLES] ...]`.

The first row is the model's single pass; all samplers that it can work with follow, then those of other models.

Errors and calibration are judged where it is hard, within three voxels of a reference segment's boundary.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from table import show
from tqdm import tqdm
from volumes import data_folder

from deepseg import api
from deepseg.errors import UncertaintyError
from deepseg.metrics import dice
from deepseg.uncertainty.error_detection import aurc, auroc
from deepseg.uncertainty.reliability import Reliability, boundary_band, negative_log_likelihood
from deepseg_train.data import Case, open_dataset
from deepseg_train.data.split import PARTS, load_split

SPLIT = Path(__file__).resolve().parents[2] / "train/configs/hippocampus_split.json"
SAMPLERS = (
    ("single-pass", None),
    ("deep-supervision", None),
    ("learned-variance", None),
    ("augmentation", 2),
    ("augmentation", 8),
    ("dropout", 10),
    ("ensemble", None),
)
_DRAWS, _TIMED = 2000, 12


@dataclass(frozen=True)
class Measured:
    """What one sampler gives for one case: means over labels, in the band around the boundary of each."""

    seconds: float
    dice: float
    auroc: float
    aurc: float
    nll: float
    probabilities: tuple[np.ndarray, ...]
    present: tuple[np.ndarray, ...]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=(data_folder() or Path()) / "msd_hippocampus")
    parser.add_argument("--model", default="hippocampus-mr")
    parser.add_argument("--also", nargs="+", default=[], metavar="FOLDER:SAMPLER[:SAMPLES]", help="other models, each with one sampler")
    parser.add_argument("--parts", nargs="+", default=["test"], choices=PARTS)
    options = parser.parse_args()
    split = load_split(SPLIT, open_dataset(options.data).cases)
    cases = [case for part in options.parts for case in split[part]]
    runs = {}
    for name, sampler, samples in [*((options.model, *sampling) for sampling in SAMPLERS), *map(_other, options.also)]:
        bundle = api.load_model(name)
        try:
            api.estimate_uncertainty(cases[0].read(bundle.spec)[0], bundle, sampler=sampler, samples=samples)
        except UncertaintyError:
            continue
        for case in tqdm(cases, desc=f"{bundle.spec.id}, {sampler}", unit="case"):
            for how, measured in measure(case, bundle, sampler, samples).items():
                runs.setdefault(f"{Path(name).name}, {sampler}{f', {samples} samples' if samples else ''}{how}", []).append(measured)
    first = next(iter(runs.values()))
    rows = [("sampler", "time to first", "Dice", "AUROC of errors", "its gain", "AURC to first", "ECE", "NLL")]
    for name, measured in runs.items():
        pairs = list(zip(measured, first, strict=True))
        rows.append(
            (
                name,
                f"{np.median([a.seconds / b.seconds for a, b in pairs]):.2f}",
                interval([m.dice for m in measured]),
                interval([m.auroc for m in measured]),
                interval([a.auroc - b.auroc for a, b in pairs]),
                ratio_interval([(a.aurc, b.aurc) for a, b in pairs]),
                f"{expected_calibration_error(measured):.4f}",
                interval([m.nll for m in measured]),
            )
        )
    show(
        f"{len(cases)} held-out cases ({', '.join(options.parts)}), within 3 voxels of a boundary; mean and 95 % bootstrap interval",
        rows,
    )
    print(f"An estimate takes {over_segmentation(cases[:_TIMED], options.model):.2f} times as long as segments alone (median of {_TIMED} images)")


def over_segmentation(cases: list[Case], model: str) -> float:
    """Time of the default estimate over that of labels alone, each as fast as the computer can."""
    bundle, ratios = api.load_model(model), []
    for case in cases:
        volume, _ = case.read(bundle.spec)
        seconds = []
        for run in (api.segment, api.estimate_uncertainty):
            begin = time.perf_counter()
            run(volume, bundle)
            seconds.append(time.perf_counter() - begin)
        ratios.append(seconds[1] / seconds[0])
    return float(np.median(ratios))


def _other(text: str) -> tuple[str, str, int | None]:
    folder, sampler, *samples = text.split(":")
    return folder, sampler, int(samples[0]) if samples else None


def measure(case: Case, bundle: api.ModelBundle, sampler: str, samples: int | None) -> dict[str, Measured]:
    """Run one case and compare it with its reference: by its entropy and probabilities as they are (''), and recalibrated where it is calibrated."""
    volume, reference = case.read(bundle.spec)
    begin = time.perf_counter()
    result = api.estimate_uncertainty(volume, bundle, sampler=sampler, samples=samples)
    seconds = time.perf_counter() - begin
    found = {"": judged(bundle, result, reference, seconds, result.maps["predictive_entropy"].values, result.prediction.probabilities)}
    if result.calibrated:
        found[", recalibrated"] = judged(bundle, result, reference, seconds, result.maps["error_probability"].values, result.recalibrated)
    return found


def judged(
    bundle: api.ModelBundle, result: api.Uncertainty, reference: api.LabelMap, seconds: float, doubt: np.ndarray, probabilities: np.ndarray
) -> Measured:
    """One map of doubt and one set of probabilities against the truth."""
    labels = result.prediction.labels.array
    masks = [reference.array == label.value for label in bundle.spec.labels]
    bands = [boundary_band(mask) for mask in masks]
    band = np.logical_or.reduce(bands)
    wrong = (labels != reference.array)[band]
    in_bands = tuple(probabilities[label.value][own] for label, own in zip(bundle.spec.labels, bands, strict=True))
    present = tuple(mask[own] for mask, own in zip(masks, bands, strict=True))
    scores = [dice(labels == label.value, mask) for label, mask in zip(bundle.spec.labels, masks, strict=True)]
    nll = float(np.mean([negative_log_likelihood(p, y) for p, y in zip(in_bands, present, strict=True)]))
    return Measured(seconds, float(np.mean(scores)), auroc(doubt[band], wrong), aurc(doubt[band], wrong), nll, in_bands, present)


def expected_calibration_error(measured: list[Measured]) -> float:
    """Mean over labels, all cases' voxels together."""
    labels = range(len(measured[0].probabilities))
    pooled = [(np.concatenate([m.probabilities[n] for m in measured]), np.concatenate([m.present[n] for m in measured])) for n in labels]
    return float(np.mean([Reliability.of(p, y).expected_error for p, y in pooled]))


def ratio_interval(pairs: list[tuple[float, float]]) -> str:
    """Ratio of two sums over cases, and its 95 % bootstrap interval."""
    above, below = np.asarray(pairs).T
    draws = np.random.default_rng(0).integers(0, len(above), (_DRAWS, len(above)))
    low, high = np.percentile(above[draws].sum(1) / below[draws].sum(1), [2.5, 97.5])
    return f"{above.sum() / below.sum():.3f} ({low:.3f} to {high:.3f})"


def interval(values: list[float]) -> str:
    """Mean and 95 % bootstrap interval over cases."""
    sample = np.asarray(values)
    draws = np.random.default_rng(0).integers(0, len(sample), (_DRAWS, len(sample)))
    low, high = np.percentile(sample[draws].mean(1), [2.5, 97.5])
    return f"{sample.mean():.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
