"""Errors of calibration before and after, on cases that no fit saw, with bootstrap intervals over cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepseg.uncertainty.reliability import Reliability, boundary_band, brier_score, negative_log_likelihood

MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "ece": lambda p, y: Reliability.of(p, y, equal_mass=False).expected_error,
    "ace": lambda p, y: Reliability.of(p, y).expected_error,
    "brier": brier_score,
    "nll": negative_log_likelihood,
}
"""ECE in 15 bins of equal width, ACE in 15 of equal mass."""
BAND = "band"
REGIONS = (BAND, "image")
"""Within three voxels of the true segment's boundary, and everywhere."""
_DRAWS = 1000
_BINS = 15


@dataclass(frozen=True, eq=False)
class Promises:
    """One label's probabilities in one region of one case, and whether it is there; `kept` of each method of recalibration."""

    kept: dict[str, np.ndarray]
    present: np.ndarray


def promises_of(methods: dict[str, np.ndarray], target: np.ndarray, regions: Sequence[str] = REGIONS) -> dict[str, Promises]:
    """By region, of one label's probabilities (I, J, K) by method and its presence (I, J, K)."""
    places = {name: boundary_band(target) if name == BAND else np.ones(target.shape, bool) for name in regions}
    return {name: Promises({method: p[where] for method, p in methods.items()}, target[where]) for name, where in places.items()}


def figures(cases: Sequence[dict[str, dict[str, Promises]]], chosen: str) -> dict[str, Any]:
    """By region, label, method and measure: value and 95 % interval; the gain of the chosen method over none, paired; reliability curves.

    Args:
        cases: for each case by label name and region; in a region without voxels, as around a segment that is not there, a case plays no part, and
            a label that no case has is left out.
        chosen: the method whose gain and curve are told; 'none' is the network as it is.
    """
    result: dict[str, Any] = {"cases": len(cases), "interval": "95 % bootstrap over cases", "regions": {}, "curves": {}}
    for region in next(iter(cases[0].values())):
        of_region = result["regions"][region] = {}
        for label in cases[0]:
            found = [case[label][region] for case in cases if case[label][region].present.size]
            if not found:
                continue
            draws = np.random.default_rng(0).integers(0, len(found), (_DRAWS, len(found)))
            of_region[label] = _of_label(found, chosen, draws)
            if region == BAND:
                result["curves"][label] = {method: _curve(found, method) for method in dict.fromkeys(("none", chosen))}
    return result


def _of_label(found: Sequence[Promises], chosen: str, draws: np.ndarray) -> dict[str, Any]:
    told: dict[str, Any] = {}
    resampled = {}
    for method in found[0].kept:
        drawn = _Binned.measures([_Binned.of(case, method) for case in found], draws)
        told[method] = {}
        for name, values in drawn.items():
            exact = MEASURES[name](np.concatenate([c.kept[method] for c in found]), np.concatenate([c.present for c in found]))
            told[method][name] = _rounded({"value": exact, **{end: max(value, 0.0) for end, value in _ends(values, exact).items()}})
            resampled[method, name] = values
    gains = {name: resampled["none", name] - resampled[chosen, name] for name in MEASURES}
    told["gain"] = {
        name: _rounded({"value": gain, **_ends(values, gain)})
        for name, values in gains.items()
        for gain in [told["none"][name]["value"] - told[chosen][name]["value"]]
    }
    return told


@dataclass(frozen=True, eq=False)
class _Binned:
    """One case's sums, fine enough to bin again when cases are drawn anew."""

    count: np.ndarray
    promised: np.ndarray
    observed: np.ndarray
    squared: float
    nll: float

    FINE = 3000

    @staticmethod
    def of(case: Promises, method: str) -> _Binned:
        p, y = case.kept[method].astype(np.float64), case.present
        # Evenly in the logit, where most probabilities lie close to 0 and 1.
        at = ((np.log(p.clip(1e-7, 1 - 1e-7)) - np.log1p(-p.clip(1e-7, 1 - 1e-7)) + 17) / 34 * _Binned.FINE).astype(int).clip(0, _Binned.FINE - 1)
        sums = (np.bincount(at, weights, _Binned.FINE) for weights in (np.ones(len(p)), p, y.astype(float)))
        return _Binned(*sums, brier_score(p, y) * len(p), negative_log_likelihood(p, y) * len(p))

    @staticmethod
    def measures(cases: Sequence[_Binned], draws: np.ndarray) -> dict[str, np.ndarray]:
        """By measure, its value for each draw (D, N) of N cases."""
        times = np.stack([np.bincount(draw, minlength=len(cases)) for draw in draws]).astype(float)
        count, promised, observed = (times @ np.stack([getattr(case, part) for case in cases]) for part in ("count", "promised", "observed"))
        total = count.sum(1)
        found = {name: times @ [getattr(case, part) for case in cases] / total for name, part in (("brier", "squared"), ("nll", "nll"))}
        places = {"ace": (count.cumsum(1) - count / 2) / total[:, np.newaxis], "ece": promised / np.maximum(count, 1)}
        for name, place in places.items():
            group = np.minimum((place * _BINS).astype(int), _BINS - 1) + _BINS * np.arange(len(draws))[:, np.newaxis]
            sums = [np.bincount(group.ravel(), values.ravel(), _BINS * len(draws)) for values in (promised, observed)]
            found[name] = np.abs(sums[0] - sums[1]).reshape(-1, _BINS).sum(1) / total
        return found


def _curve(found: Sequence[Promises], method: str) -> dict[str, list[float]]:
    curve = Reliability.of(np.concatenate([c.kept[method] for c in found]), np.concatenate([c.present for c in found]))
    return {name: [round(float(x), 5) for x in getattr(curve, name)] for name in ("promised", "observed")}


def _ends(values: np.ndarray, estimate: float) -> dict[str, float]:
    """Basic bootstrap: cases drawn anew have larger errors of calibration than those they are drawn from, which percentiles would double."""
    low, high = np.percentile(values, [2.5, 97.5])
    return {"low": 2 * estimate - high, "high": 2 * estimate - low}


def _rounded(told: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in told.items()}
