"""One label's probabilities in one region of one case, summed up: what errors of calibration and their bootstrap over cases need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from deepseg.uncertainty.reliability import BINS, Reliability, boundary_band, brier_score, negative_log_likelihood

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

_WIDE = np.linspace(0, 1, BINS + 1)[1:-1]
_EDGES = np.unique(np.concatenate([1 / (1 + np.exp(-np.linspace(-17, 17, 3001)[1:-1])), _WIDE]))
"""Evenly in the logit, since most probabilities lie close to 0 and 1, and the edges of ECE's bins, so that ECE is exact."""
_WIDE_AT = np.array([0, *np.searchsorted(_EDGES, _WIDE) + 1, len(_EDGES) + 1])
"""How many fine bins lie below each edge of ECE's bins, 0 and 1 included."""


@dataclass(frozen=True, eq=False)
class RegionSums:
    """Sums over a region's voxels, by one method of recalibration. They are no larger for a larger image.

    Attributes:
        count, predicted, observed: float64 (B) voxels, the sum of their probabilities, and how many have the label, in fine bins of the probability.
        squared, nll: sums of the squared errors and of the negative log-likelihoods, in nats.
        voxels: probabilities and presence (N) of the few voxels around a boundary, for ACE and curves to the voxel; None of a whole image.
    """

    count: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray
    squared: float
    nll: float
    voxels: tuple[np.ndarray, np.ndarray] | None

    @staticmethod
    def of(probabilities: np.ndarray, present: np.ndarray, keep_voxels: bool) -> RegionSums:
        """Of one label's probabilities and its presence (bool), both of one shape, perhaps without a voxel."""
        p, y = probabilities.ravel(), present.ravel()
        at, bins = np.searchsorted(_EDGES, p, side="right"), len(_EDGES) + 1
        count, predicted, observed = (np.bincount(at, weights, bins) for weights in (None, p, y))
        squared, nll = (measure(p, y) * len(p) if len(p) else 0.0 for measure in (brier_score, negative_log_likelihood))
        return RegionSums(count.astype(np.float64), predicted, observed, squared, nll, (p, y) if keep_voxels else None)


def region_sums(methods: dict[str, np.ndarray], target: np.ndarray, regions: Sequence[str] = REGIONS) -> dict[str, dict[str, RegionSums]]:
    """By region and method, of one label's probabilities (I, J, K) by method and its presence (I, J, K)."""
    found = {}
    for name in regions:
        where = boundary_band(target) if name == BAND else slice(None)
        present = target[where]
        found[name] = {method: RegionSums.of(p[where], present, keep_voxels=name == BAND) for method, p in methods.items()}
    return found


def errors(cases: Sequence[RegionSums]) -> dict[str, float]:
    """All voxels of the cases together, by measure; where no voxels were kept, ACE is that of the fine bins."""
    if all(case.voxels is not None for case in cases):
        return {name: measure(*pooled_voxels(cases)) for name, measure in MEASURES.items()}
    return {name: float(value[0]) for name, value in resampled_errors(cases, np.arange(len(cases))[np.newaxis]).items()}


def resampled_errors(cases: Sequence[RegionSums], draws: np.ndarray) -> dict[str, np.ndarray]:
    """By measure, its value (D) for each draw (D, N) of N cases, in fine bins."""
    times = np.stack([np.bincount(draw, minlength=len(cases)) for draw in draws]).astype(float)
    count, predicted, observed = (times @ np.stack([getattr(case, part) for case in cases]) for part in ("count", "predicted", "observed"))
    total = count.sum(1)
    found = {name: times @ [getattr(case, part) for case in cases] / total for name, part in (("brier", "squared"), ("nll", "nll"))}
    # Sums up to the edge of each bin; ACE's edges may lie within a fine bin, whose voxels are then shared out.
    upto = [np.pad(part.cumsum(1), ((0, 0), (1, 0))) for part in (count, predicted - observed)]
    by_mass = np.stack([np.interp(np.linspace(0, mass[-1], BINS + 1), mass, excess) for mass, excess in zip(*upto, strict=True)])
    for name, excess in (("ace", by_mass), ("ece", upto[1][:, _WIDE_AT])):
        found[name] = np.abs(np.diff(excess)).sum(1) / total
    return found


def pooled_voxels(cases: Sequence[RegionSums]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and presence (N) of the voxels that all cases have kept."""
    return tuple(np.concatenate(part) for part in zip(*(case.voxels for case in cases), strict=True))
