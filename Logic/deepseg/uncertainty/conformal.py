"""Intervals that hold at a stated rate, by conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023, arXiv:2107.07511).

The guarantee: for a new case from the same source as the calibration cases, the interval contains the truth with at least the stated probability, on
average over calibration sets and cases. It says nothing about other scanners, diseases or populations. It needs scores that are exchangeable with the
new case's, as those of cases are on which nothing was fitted.

The recalibration, however, is fitted on the calibration cases. `deepseg-train calibrate` therefore cross-fits: each case is scored with a
recalibration fitted to the other folds, as a new case is scored with one that has not seen it. This is cross-conformal prediction (Vovk 2015,
doi:10.1007/s10472-013-9368-4), except that a new case is scored with the fit to all cases instead of with each fold's. With each fold's fit (CV+;
Barber et al. 2021, doi:10.1214/20-AOS1965) at most 2 a + sqrt(2 / n) of new cases would be missed, for a nominal miss rate a and n cases, whatever
the data. With the single fit that bound does not apply: the stated rate holds as far as leaving out a fold hardly changes the fit (stability, ibid.).
`Testing/benchmarks/guarantees.py` measures the rate. Which method of recalibration is used is chosen with all cases, which no theorem here covers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepseg.errors import UncertaintyError


def conformal_quantile(scores: Sequence[float], level: float) -> float:
    """The score that a new case's score does not exceed with at least the probability `level`.

    Raises:
        UncertaintyError: `level` is no probability, or more than so many scores can promise.
    """
    _refuse_level(level)
    count = len(scores)
    # Rounding: 0.9 * 10 is a hair more than 9.
    rank = math.ceil((count + 1) * level - 1e-9)
    if rank > count:
        raise UncertaintyError(_too_much(level, count))
    return float(np.sort(np.asarray(scores, float))[rank - 1])


def highest_level(count: int) -> float:
    """The highest level that so many calibration cases can promise on one side."""
    return count / (count + 1)


def conformal_range(scores: Sequence[float], level: float) -> tuple[float, float]:
    """Range about the scores' mean that holds a new case's score with at least the probability `level`.

    Full conformal prediction (Vovk et al. 2005): a new score is held if, of all n + 1 scores, enough lie at least as far as it does from the mean of
    all of them, itself included. Both ends of that set have a closed form.

    Raises:
        UncertaintyError: `level` is no probability, or more than so many scores can promise.
    """
    _refuse_level(level)
    count = len(scores)
    given_up = math.floor((count + 1) * (1 - level) + 1e-9)
    if given_up < 1 or count < 2:
        raise UncertaintyError(_too_much(level, count))
    mean = float(np.mean(scores))
    off = np.asarray(scores, float) - mean
    # A new score this far off is as far from the new mean as each of the others; those on its other side lie further from that mean.
    nearer, further = np.abs(off), np.abs(off) * (count + 1) / (count - 1)
    above, below = np.where(off >= 0, nearer, further), np.where(off <= 0, nearer, further)
    return mean - float(np.sort(below)[-given_up]), mean + float(np.sort(above)[-given_up])


def refuse_level(level: float, count: int) -> None:
    """Refuse what so many calibration cases cannot promise.

    Raises:
        UncertaintyError: `level` is no probability, or too much.
    """
    _refuse_level(level)
    if math.floor((count + 1) * (1 - level) + 1e-9) < 1:
        raise UncertaintyError(_too_much(level, count))


def _refuse_level(level: float) -> None:
    if not 0 < level < 1:
        raise UncertaintyError(f"The level is {level:g}; expected a number between 0 and 1, for example 0.9.")


def _too_much(level: float, count: int) -> str:
    return (
        f"{100 * level:g} % cannot be promised from {count} calibration cases; at most {100 * highest_level(count):.1f} %. "
        "Ask for less, or calibrate the model on more cases."
    )


@dataclass(frozen=True)
class VolumeScores:
    """How far volumes of calibration cases were off, for one segment.

    Attributes:
        log_ratios: ln(true / estimated) of each, estimated by a model and a recalibration that were not fitted on that case.
    """

    log_ratios: tuple[float, ...]

    @staticmethod
    def of(true_ml: Sequence[float], estimated_ml: Sequence[float]) -> VolumeScores:
        """From volumes of calibration cases.

        Raises:
            UncertaintyError: a volume is 0, so that no ratio says how far off it was.
        """
        if min(true_ml) <= 0 or min(estimated_ml) <= 0:
            raise UncertaintyError("A calibration case lacks the segment, in truth or by the model; volume intervals need cases that have it.")
        return VolumeScores(tuple(math.log(a / b) for a, b in zip(true_ml, estimated_ml, strict=True)))

    def interval_ml(self, estimated_ml: float, level: float) -> tuple[float, float]:
        """Lower and upper end for a new case's estimate; a bias of the model is taken out, so the estimate may lie outside.

        Raises:
            UncertaintyError: that level cannot be promised.
        """
        low, high = conformal_range(self.log_ratios, level)
        return estimated_ml * math.exp(low), estimated_ml * math.exp(high)


CONTOUR_SHARE = 0.95
"""So much of the segment is to lie inside its outer contour, and so much of what is inside its inner contour is to be the segment's: single stray
voxels of a reference would else blow up the one and empty the other."""


@dataclass(frozen=True)
class ContourScores:
    """At which probabilities contours of calibration cases would have been right, for one segment; see `contour_thresholds`.

    Attributes:
        outer: threshold of each case's outer contour.
        inner: threshold of each case's inner contour.
    """

    outer: tuple[float, ...]
    inner: tuple[float, ...]

    def thresholds(self, level: float) -> tuple[float, float]:
        """Thresholds for the inner and the outer contour of a new case, each of which is right with at least the probability `level`.

        Raises:
            UncertaintyError: that level cannot be promised.
        """
        return conformal_quantile(self.inner, level), -conformal_quantile([-score for score in self.outer], level)


def contour_thresholds(probabilities: np.ndarray, present: np.ndarray) -> tuple[float, float]:
    """Thresholds that would have been right for one case.

    Args:
        probabilities: of the segment, recalibrated, of any shape.
        present: where it truly is, bool, of the same shape.

    Returns:
        Of the outer contour the largest threshold above which `CONTOUR_SHARE` of the true segment lies; of the inner contour the smallest above which
        `CONTOUR_SHARE` of what lies there is truly the segment's.

    Raises:
        UncertaintyError: the case lacks the segment.
    """
    if not present.any():
        raise UncertaintyError("A calibration case lacks the segment; contours need cases that have it.")
    return _outer(probabilities.ravel(), present.ravel()), _inner(probabilities.ravel(), present.ravel())


def _outer(probabilities: np.ndarray, present: np.ndarray) -> float:
    inside = np.sort(probabilities[present])[::-1]
    return float(inside[math.ceil(CONTOUR_SHARE * len(inside)) - 1])


def _inner(probabilities: np.ndarray, present: np.ndarray) -> float:
    order = np.argsort(-probabilities, kind="stable")
    right = present[order].cumsum() / np.arange(1, len(order) + 1)
    # The share falls with the threshold but for single voxels; the last place at which it holds counts.
    kept = np.flatnonzero(right >= CONTOUR_SHARE)
    return float(probabilities[order[kept[-1]]]) if len(kept) else float(np.nextafter(probabilities.max(), np.inf))
