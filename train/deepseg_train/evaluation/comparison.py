"""Models against each other on the same cases: the paired table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.alignment import aligned, labels_of, refuse_lacking
from deepseg_train.evaluation.measures import MEASURES
from deepseg_train.evaluation.statistics import Comparison, compared, holm
from deepseg_train.evaluation.tables import markdown

USUAL_MEASURES = ("dice", "hd95_mm", "surface_dice_1mm")
"""One of overlap and two of the boundary: the more measures are tested, the harder each test is corrected."""
ALL_LABELS = "mean over labels"


@dataclass(frozen=True)
class PairedLine:
    """One line of the table.

    Attributes:
        model: the other one's name.
        label, measure: of what.
        result: it against the first model.
        corrected_p: by Holm's method over all lines of the table.
    """

    model: str
    label: str
    measure: str
    result: Comparison
    corrected_p: float

    @property
    def better(self) -> int:
        """Number of cases in which the other model is better than the first."""
        return self.result.higher if MEASURES[self.measure].best == "high" else self.result.lower


def paired_lines(models: dict[str, list[dict[str, Any]]], measures: Sequence[str] = USUAL_MEASURES) -> list[PairedLine]:
    """Compare every model with the first one: by label, and the mean over labels where there are several.

    Errors about 0 (volume) are compared by their size.

    Args:
        models: rows by the model's name, on the same cases and labels, see `aligned`.
        measures: keys of `MEASURES`.

    Raises:
        DatasetError: fewer than two models, they do not have the same cases and labels, or one lacks a measure.
    """
    if len(models) < 2:
        raise DatasetError(f"{len(models)} table given; a comparison needs at least two.")
    (first_name, first), *rest = models.items()
    labels = labels_of(first)
    others, _ = aligned(first_name, {row["case"] for row in first}, labels, dict(rest))
    refuse_lacking(models, measures)
    found = []
    for name, rows in others.items():
        for measure in measures:
            for label in [*labels, *([ALL_LABELS] if len(labels) > 1 else [])]:
                mine, theirs = (_values(given, label, measure) for given in (first, rows))
                patients = {row["case"]: row.get("patient", row["case"]) for row in first}
                result = compared(*(np.array([values[case] for case in mine]) for values in (mine, theirs)), [patients[case] for case in mine])
                if result is not None:
                    found.append((name, label, measure, result))
    corrected = holm([result.p for *_, result in found])
    return [PairedLine(*line, p) for line, p in zip(found, corrected, strict=True)]


def comparison_table(first: str, lines: Sequence[PairedLine]) -> str:
    """As Markdown, with a sentence on what it says."""
    return f"{markdown(*comparison_cells(first, lines))}\n\n{comparison_note(first, lines)}"


def comparison_cells(first: str, lines: Sequence[PairedLine]) -> tuple[list[str], list[list[str]]]:
    """Heads and lines."""
    heads = ["model", "label", "measure", f"mean of {first}", "its mean", "difference (95 % interval)", "better / equal / worse", "p", "p (Holm)"]
    return heads, [_cells(line) for line in lines]


def comparison_note(first: str, lines: Sequence[PairedLine]) -> str:
    """What the table says and how it was made."""
    cases = max((line.result.cases for line in lines), default=0)
    return (
        f"Differences are model minus {first}, over {cases} cases; intervals by BCa bootstrap, two-sided Wilcoxon signed-rank tests over patients, "
        f"p (Holm) corrected for the {len(lines)} tests of this table."
    )


def _cells(line: PairedLine) -> list[str]:
    result, measure = line.result, MEASURES[line.measure]
    digits = max(measure.decimals, 3)

    def number(value: float) -> str:
        return f"{value:.{digits}f}" if math.isfinite(value) else "infinite"

    apart = result.difference
    difference = "infinite" if apart is None else f"{apart.mean:+.{digits}f} ({apart.low:+.{digits}f} to {apart.high:+.{digits}f})"
    counts = f"{line.better} / {result.equal} / {result.cases - line.better - result.equal}"
    size = " (size)" if measure.best == "zero" else ""
    return [
        line.model,
        line.label,
        measure.title + size,
        number(result.first),
        number(result.second),
        difference,
        counts,
        p_text(result.p),
        p_text(line.corrected_p),
    ]


def p_text(p: float) -> str:
    """Three decimals, or '< 0.001'."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _values(rows: list[dict[str, Any]], label: str, measure: str) -> dict[str, float]:
    """By case; the mean over labels is undefined where one of them is."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if label in (row["label"], ALL_LABELS):
            value = row[measure]
            found.setdefault(row["case"], []).append(abs(value) if MEASURES[measure].best == "zero" else value)
    return {case: float(np.mean(values)) for case, values in found.items()}
