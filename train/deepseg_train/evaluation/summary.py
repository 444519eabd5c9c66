"""Rows of measures summed up by label, as a model's file holds them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tqdm import tqdm

from deepseg_train.evaluation.measures import MEASURES
from deepseg_train.evaluation.statistics import mean_interval

_PATIENCE_S = 2.0
"""What takes longer shows a progress bar."""


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each label and measure that the rows hold, over the cases in which it is defined.

    Returns:
        In JSON types: cases, patients, interval (in words), and labels: by name and measure mean, low, high (95 % interval), median, worst, cases
        (in which it is defined) and infinite (in how many of these it is). What is infinite or defined in no case is None.
    """
    names, measures = list(dict.fromkeys(row["label"] for row in rows)), [name for name in MEASURES if name in rows[0]]
    cases, patients = ({row.get(key, row["case"]) for row in rows} for key in ("case", "patient"))
    bar = tqdm(names, desc="intervals", unit="label", delay=_PATIENCE_S)
    labels = {name: {m: _figures(m, [row for row in rows if row["label"] == name]) for m in measures} for name in bar}
    unit = "cases" if len(patients) == len(cases) else "patients"
    interval = f"95 % BCa bootstrap over {unit}" if len(patients) > 1 else "no interval, as there is one patient"
    return {"cases": len(cases), "patients": len(patients), "interval": interval, "labels": labels}


def _figures(measure: str, rows: list[dict[str, Any]]) -> dict[str, float | int | None]:
    defined = [row for row in rows if not math.isnan(row[measure])]
    values = np.array([row[measure] for row in defined], float)
    infinite = int(np.isinf(values).sum())
    told: dict[str, float | int | None] = dict.fromkeys(("mean", "low", "high", "median", "worst"))
    told |= {"cases": len(values), "infinite": infinite}
    if not len(values):
        return told
    if not infinite:
        interval = mean_interval(values, [row.get("patient", row["case"]) for row in defined])
        told |= {"mean": interval.mean, "low": interval.low, "high": interval.high}
    median, worst = float(np.median(values)), float(values[MEASURES[measure].badness(values).argmax()])
    return told | {"median": _finite(median), "worst": _finite(worst)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
