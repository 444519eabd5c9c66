"""`deepseg-train evaluate`: a model's agreement with reference labels, per case and label, with bootstrap intervals."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from deepseg import api
from deepseg.errors import VolumeError
from deepseg.metrics import SurfaceDistances, dice, iou
from deepseg_train.dataset import Case
from deepseg_train.errors import DatasetError

SURFACE_TOLERANCE_MM = 1.0
MEASURES = ("dice", "iou", "hd95_mm", "surface_dice_1mm", "volume_error_percent")
_ERRORS = ("hd95_mm", "volume_error_percent")
_RESAMPLES, _SEED = 10_000, 0


def evaluate_cases(bundle: api.ModelBundle, cases: list[Case]) -> list[dict[str, Any]]:
    """Segment each case as a user would and compare with its reference: a row per case and label.

    Raises:
        DatasetError: a case cannot be read; the message names it.
    """
    rows = []
    for case in tqdm(cases, desc="evaluating", unit="case"):
        try:
            volume, reference = case.read(bundle.spec)
        except VolumeError as error:
            raise DatasetError(f"{case.name}: {error}") from error
        predicted = api.segment(volume, bundle, probabilities=False).labels
        for label in bundle.spec.labels:
            a, b = predicted.mask(label), reference.mask(label)
            surfaces = SurfaceDistances.between(a, b, volume.geometry.spacing_mm)
            rows.append(
                {
                    "case": case.name,
                    "label": label.name,
                    "dice": dice(a, b),
                    "iou": iou(a, b),
                    "hd95_mm": surfaces.hausdorff_95_mm(),
                    "surface_dice_1mm": surfaces.surface_dice(SURFACE_TOLERANCE_MM),
                    "volume_error_percent": 100 * (int(a.sum()) - int(b.sum())) / max(int(b.sum()), 1),
                }
            )
    return rows


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and bootstrap 95 % interval (percentile method, cases resampled) of each measure by label, as the model file holds them.

    A measure that is infinite in a case (HD95 where a label is missed altogether) has no mean: its figures are None.
    """
    names = list(dict.fromkeys(row["label"] for row in rows))
    labels = {name: {m: _interval(m, [row[m] for row in rows if row["label"] == name]) for m in MEASURES} for name in names}
    return {"cases": len({row["case"] for row in rows}), "interval": "95 % bootstrap over cases", "labels": labels}


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """One line per case and label, as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def table(summary: dict[str, Any]) -> str:
    """The summary as a Markdown table."""
    lines = [f"| label | {' | '.join(_HEADINGS[m] for m in MEASURES)} |", "|---" * (len(MEASURES) + 1) + "|"]
    for name, scores in summary["labels"].items():
        cells = [_cell(scores[m]) for m in MEASURES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


_HEADINGS = {
    "dice": "Dice",
    "iou": "IoU",
    "hd95_mm": "HD95 (mm)",
    "surface_dice_1mm": "surface Dice at 1 mm",
    "volume_error_percent": "volume error (%)",
}


def _cell(figures: dict[str, float | None]) -> str:
    if figures["mean"] is None:
        return "infinite (label missed in a case)"
    return f"{figures['mean']:.3f} ({figures['low']:.3f} to {figures['high']:.3f})"


def _interval(measure: str, values: list[float]) -> dict[str, float | None]:
    sample = np.asarray(values, float)
    if not np.isfinite(sample).all():
        return dict.fromkeys(("mean", "low", "high", "worst"))
    draws = np.random.default_rng(_SEED).integers(0, len(sample), (_RESAMPLES, len(sample)))
    low, high = np.percentile(sample[draws].mean(1), [2.5, 97.5])
    return {"mean": float(sample.mean()), "low": float(low), "high": float(high), "worst": float(_worst(measure, sample))}


def _worst(measure: str, sample: np.ndarray) -> float:
    # A score is worst where it is lowest, an error (mm, %) where it is largest.
    return sample[np.abs(sample).argmax()] if measure in _ERRORS else sample.min()
