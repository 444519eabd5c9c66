"""Intervals of means and paired comparisons. Patients are the units: several cases of one patient are no independent evidence."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000
_SEED = 0


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def mean_interval(values: np.ndarray, patients: Sequence[str]) -> Interval:
    """Mean over cases, and its interval by the bootstrap over patients, bias-corrected and accelerated (BCa; Efron 1987).

    Args:
        values: (N) finite.
        patients: whose case each value is; a patient is drawn with all of their cases.

    Returns:
        The percentile interval where BCa is not defined; one patient, or equal values, give an interval without width.
    """
    sums, counts = _by_patient(values, patients)
    mean = float(sums.sum() / counts.sum())
    if len(sums) == 1 or np.ptp(values) == 0:
        return Interval(mean, mean, mean)
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy says that BCa is not defined; the second turn takes care of it
            low, high = stats.bootstrap(
                (sums, counts),
                lambda s, n, axis: s.sum(axis) / n.sum(axis),
                paired=True,
                vectorized=True,
                n_resamples=RESAMPLES,
                batch=1000,
                confidence_level=LEVEL,
                method=method,
                rng=np.random.default_rng(_SEED),
            ).confidence_interval
        if np.isfinite([low, high]).all():
            break
    return Interval(mean, float(low), float(high))


@dataclass(frozen=True)
class Comparison:
    """One measure of two models on the same cases.

    Attributes:
        first, second: means.
        difference: mean of second minus first with its interval; None where a difference is infinite.
        p: two-sided, of the Wilcoxon signed-rank test over patients.
        higher, lower, equal: number of cases in which the second's value is higher than the first's, and so on.
        cases: in which both are defined.
    """

    first: float
    second: float
    difference: Interval | None
    p: float
    higher: int
    lower: int
    equal: int
    cases: int


def compared(first: np.ndarray, second: np.ndarray, patients: Sequence[str]) -> Comparison | None:
    """Compare (N) values of two models case by case; a patient's cases are averaged before the test (Wilcoxon 1945).

    A case in which either value is undefined (nan) is left out; infinite in both means equal. None where no case is left.
    """
    defined = ~(np.isnan(first) | np.isnan(second))
    first, second, patients = first[defined], second[defined], [p for p, keep in zip(patients, defined, strict=True) if keep]
    if not len(first):
        return None
    same = first == second  # also where both are infinite
    difference = np.zeros(len(first))
    difference[~same] = second[~same] - first[~same]
    sums, counts = _by_patient(difference, patients)
    return Comparison(
        float(first.mean()),
        float(second.mean()),
        mean_interval(difference, patients) if np.isfinite(difference).all() else None,
        signed_rank_p(sums / counts),
        int((difference > 0).sum()),
        int((difference < 0).sum()),
        int(same.sum()),
        len(first),
    )


def signed_rank_p(differences: np.ndarray) -> float:
    """Two-sided p of the Wilcoxon signed-rank test of (N) paired differences; zeros are left out, and 1 where nothing is left.

    Exact for up to 50 differences without ties and up to 13 with ties, else by the normal approximation (scipy's choice).
    """
    differences = differences[(differences != 0) & ~np.isnan(differences)]
    if not len(differences):
        return 1.0
    # Ranks with signs instead of the differences: infinite ones are the largest, and need no arithmetic.
    return float(stats.wilcoxon(np.sign(differences) * stats.rankdata(np.abs(differences))).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's step-down method (1979), in the order in which they came.

    Each tells whether its hypothesis would be rejected at that level with the chance of even one false rejection among all of them kept below it.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values, float)[order] * factors), 1)
    return adjusted.tolist()


def _by_patient(values: np.ndarray, patients: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sum of each patient's values and their number."""
    _, place = np.unique(np.asarray(patients, str), return_inverse=True)
    return np.bincount(place, values), np.bincount(place).astype(float)
