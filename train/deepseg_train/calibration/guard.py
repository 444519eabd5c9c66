"""What is usual: means and deviations over the training images, limits from cases that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deepseg import api
from deepseg.uncertainty.conformal import conformal_quantile, highest_level
from deepseg.uncertainty.facts import Facts
from deepseg.uncertainty.ood import Check, DeepCheck, Guard, figures_of

LEVEL = 0.96
"""Share of usual cases that are to pass."""
_COMPONENTS = 12
_LEAST_DEVIATION = {"voxel size": 0.1, "field of view": 0.1, "orientation": 5.0}
"""Figures that hardly vary among the training images may vary so much; logarithms of lengths, and degrees."""
_LEAST = 0.1


def fit_guard(trained: Sequence[Facts], held_out: Sequence[Facts], spec: api.ModelSpec) -> Guard:
    """Compare with `trained`, the images the network was fitted on; let as many of `held_out` pass as `LEVEL` asks, or as their number allows."""
    rows = [figures_of(facts, spec) for facts in trained]
    usual = [figures_of(facts, spec) for facts in held_out]
    checks = {}
    for name in rows[0]:
        table = np.array([row[name] for row in rows])
        least = _LEAST_DEVIATION.get(name, _LEAST)
        check = Check(table.mean(0), np.maximum(table.std(0), least), 1.0)
        scores = [check.score(row[name]) for row in usual]
        checks[name] = replace(check, limit=_limit(scores))
    deep = _fit_deep(trained, held_out) if all(facts.deep is not None for facts in (*trained, *held_out)) else None
    guard = Guard(checks, deep, min(LEVEL, highest_level(len(held_out))))
    # The limits are made comparable by smooth figures of the held-out cases' scores; then all are moved by one factor.
    factor = conformal_quantile([guard.score(facts, spec) for facts in held_out], guard.level)
    widened = {name: replace(check, limit=check.limit * factor) for name, check in checks.items()}
    return Guard(widened, deep and replace(deep, limit=deep.limit * factor), guard.level)


def _fit_deep(trained: Sequence[Facts], held_out: Sequence[Facts]) -> DeepCheck:
    table = np.array([facts.deep for facts in trained])
    mean, deviation = table.mean(0), np.maximum(table.std(0), 1e-6)
    normal = (table - mean) / deviation
    count = min(_COMPONENTS, len(normal) // 4)
    _, spread, directions = np.linalg.svd(normal, full_matrices=False)
    components = directions[:count]
    # What held-out images leave outside the components, since those were made to suit the trained ones.
    held = (np.array([facts.deep for facts in held_out]) - mean) / deviation
    outside = held - held @ components.T @ components
    residual = float(np.sqrt(np.mean(outside**2)))
    check = DeepCheck(mean, deviation, components, spread[:count] / len(normal) ** 0.5, residual, 1.0)
    return replace(check, limit=_limit([check.score(facts.deep) for facts in held_out]))


def _limit(scores: list[float]) -> float:
    return max(float(np.mean(scores) + 3 * np.std(scores)), 1.0)
