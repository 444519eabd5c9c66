"""Expected against true Dice, and unlike images against usual ones: `quality.py [--data MSD] [--model NAME_OR_FOLDER] [--sampler single-pass]`.

On the test part of the split as it is and degraded on purpose; and on images that are none of the model's business.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from strangers import strangers
from table import show
from tqdm import tqdm
from volumes import data_folder

from deepseg import api
from deepseg.uncertainty.calibration import Calibration, SamplerCalibration, load_calibration
from deepseg.uncertainty.error_detection import auroc
from deepseg.uncertainty.quality import quality_figures
from deepseg_train.calibration.answers import CalibrationAnswer, Sampling, degraded_copies
from deepseg_train.data import Case, open_dataset
from deepseg_train.data.split import load_split

SPLIT = Path(__file__).resolve().parents[2] / "train/configs/hippocampus_split.json"
_SEED, _DRAWS = 1000, 2000
_CLEAN = "as it is"


@dataclass(frozen=True)
class Segment:
    """One segment of one image."""

    kind: str
    case: int
    true: float
    expected: float
    held: bool
    verdict: str


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=(data_folder() or Path()) / "msd_hippocampus")
    parser.add_argument("--model", default="hippocampus-mr")
    parser.add_argument("--sampler", default="single-pass")
    options = parser.parse_args()
    bundle = api.load_model(options.model)
    calibration = load_calibration(bundle)
    calibrated = next(item for item in calibration.samplers if item.sampler == options.sampler)
    cases = load_split(SPLIT, open_dataset(options.data).cases)["test"]
    found, scores = judged(bundle, calibration, calibrated, cases)
    kinds = list(dict.fromkeys(segment.kind for segment in found))
    heads = ("images", "segments", "true Dice", "expected", "mean absolute error", "Pearson r", "in the 90 % interval", "accept / review / reject")
    rows = [heads, *(quality_row(kind, [s for s in found if s.kind == kind], scores[kind]) for kind in kinds)]
    rows.append(quality_row("all", found, [score for kind in kinds for score in scores[kind]]))
    rows.append(quality_row("all, mean of an image's segments", _by_image(found), [score for kind in kinds for score in scores[kind]]))
    show(f"Expected Dice on {len(cases)} held-out cases, as they are and degraded; {bundle.spec.id}, {options.sampler}", rows)
    risks = np.array([1 - s.true for s in found])
    area, best = (_risk_coverage(risks, order) for order in (np.array([-s.expected for s in found]), risks))
    print(f"Area under the risk-coverage curve: {area:.4f}; an oracle's {best:.4f}; ratio {area / best:.3f}\n")
    show_strangers(bundle, calibration, calibrated, scores[_CLEAN])


def judged(
    bundle: api.ModelBundle, calibration: Calibration, calibrated: SamplerCalibration, cases: list[Case]
) -> tuple[list[Segment], dict[str, list[float]]]:
    """Every segment, and every image's score by the guard, by what was done to the images."""
    spec, found, scores = bundle.spec, [], {}
    for n, case in enumerate(tqdm(cases, unit="case")):
        image = case.read(spec)
        for kind, volume, reference in chain([(_CLEAN, *image)], degraded_copies(*image, _SEED + n, None)):
            answer = CalibrationAnswer.to(volume, reference, bundle, Sampling(calibrated.sampler, calibrated.samples, None))
            facts = answer.facts(calibrated.recalibration, spec)
            score = calibration.guard.score(facts, spec)
            scores.setdefault(kind, []).append(score)
            figures = quality_figures(facts, calibration.guard, spec)
            for value, true in answer.dice(spec).items():
                expected = float(calibrated.quality.predict(figures[value]))
                low, high = calibrated.quality.interval(expected, 0.9)
                found.append(Segment(kind, n, true, expected, low <= true <= high, calibrated.quality.verdict(expected, score > 1)))
    return found, scores


def quality_row(kind: str, found: list[Segment], scores: list[float]) -> tuple[str, ...]:
    """One kind's segments."""
    true, expected = (np.array([getattr(s, name) for s in found]) for name in ("true", "expected"))
    verdicts = [np.mean([s.verdict == verdict for s in found]) for verdict in ("accept", "review", "reject")]
    return (
        kind,
        str(len(found)),
        f"{true.mean():.3f}",
        f"{expected.mean():.3f}",
        interval(np.abs(true - expected)),
        f"{np.corrcoef(true, expected)[0, 1]:.3f}",
        f"{np.mean([s.held for s in found]):.2f}",
        " / ".join(f"{share:.2f}" for share in verdicts) + f"; {np.mean(np.array(scores) > 1):.2f} flagged",
    )


def show_strangers(bundle: api.ModelBundle, calibration: Calibration, calibrated: SamplerCalibration, usual: list[float]) -> None:
    """The guard's table."""
    spec, rows, every = bundle.spec, [("images", "number", "AUROC against held-out cases", "flagged", "lowest score", "told first")], []
    for kind, volumes in _by_kind(strangers()):
        scores, told = [], []
        for volume in tqdm(volumes, desc=kind):
            empty = api.LabelMap(np.zeros(volume.geometry.shape, np.uint8), volume.geometry, spec.labels)
            facts = CalibrationAnswer.to(volume, empty, bundle, Sampling(calibrated.sampler, calibrated.samples, None)).facts(
                calibrated.recalibration, spec
            )
            scores.append(calibration.guard.score(facts, spec))
            told.extend(finding.about for finding in calibration.guard.after(facts, spec)[:1])
        every.extend(scores)
        rows.append(_guard_row(kind, scores, usual, max(set(told), key=told.count, default="")))
    rows.append(_guard_row("all of them", every, usual, ""))
    rows.append(("held-out cases", str(len(usual)), "", f"{np.mean(np.array(usual) > 1):.3f}", f"{min(usual):.2f}", ""))
    show("Guard against unlike images; a score above 1 is flagged", rows)


def _guard_row(kind: str, scores: list[float], usual: list[float], told: str) -> tuple[str, ...]:
    both, strange = np.array([*scores, *usual]), np.arange(len(scores) + len(usual)) < len(scores)
    return kind, str(len(scores)), f"{auroc(both, strange):.4f}", f"{np.mean(np.array(scores) > 1):.3f}", f"{min(scores):.2f}", told


def _by_kind(images: Iterator[tuple[str, api.Volume]]) -> list[tuple[str, list[api.Volume]]]:
    found: dict[str, list[api.Volume]] = {}
    for kind, volume in images:
        found.setdefault(kind, []).append(volume)
    return list(found.items())


def _by_image(found: list[Segment]) -> list[Segment]:
    images: dict[tuple[str, int], list[Segment]] = {}
    for segment in found:
        images.setdefault((segment.kind, segment.case), []).append(segment)
    return [
        Segment(*key, float(np.mean([s.true for s in own])), float(np.mean([s.expected for s in own])), all(s.held for s in own), own[0].verdict)
        for key, own in images.items()
    ]


def _risk_coverage(risks: np.ndarray, order: np.ndarray) -> float:
    ordered = risks[np.argsort(order, kind="stable")]
    return float((ordered.cumsum() / np.arange(1, len(ordered) + 1)).mean())


def interval(values: np.ndarray) -> str:
    """Mean and 95 % bootstrap interval."""
    draws = np.random.default_rng(0).integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return f"{values.mean():.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
