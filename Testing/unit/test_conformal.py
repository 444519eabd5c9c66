"""Guarantees that hold: coverage over many draws, and what cannot be promised."""

import numpy as np
import pytest

from deepseg.errors import UncertaintyError
from deepseg.uncertainty.conformal import ContourScores, VolumeScores, conformal_quantile, conformal_range, contour_thresholds


@pytest.mark.parametrize(("count", "level"), [(31, 0.9), (31, 0.8), (10, 0.8), (99, 0.95), (9, 0.9)])
def test_a_quantile_covers_a_new_case_as_often_as_stated(count, level):
    scores = np.random.default_rng(1).exponential(size=(4000, count + 1))
    covered = np.mean([row[-1] <= conformal_quantile(row[:-1], level) for row in scores])
    print(f"{count} cases, {level}: {covered:.3f}")
    assert level - 0.02 < covered < level + 1 / (count + 1) + 0.02


@pytest.mark.parametrize(("count", "level"), [(31, 0.9), (31, 0.5), (62, 0.9), (19, 0.9)])
def test_a_range_covers_a_new_case_as_often_as_stated(count, level):
    scores = np.random.default_rng(2).normal(3, 1, size=(4000, count + 1))
    ranges = [conformal_range(row[:-1], level) for row in scores]
    covered = np.mean([low <= row[-1] <= high for row, (low, high) in zip(scores, ranges, strict=True)])
    print(f"{count} cases, {level}: {covered:.3f}")
    assert level - 0.02 < covered < level + 1 / (count + 1) + 0.02


def test_volume_intervals_take_a_bias_out_and_hold_as_stated():
    rng = np.random.default_rng(3)
    covered, widths = [], []
    for _ in range(1500):
        true = rng.uniform(1, 3, 32)
        estimated = true * 1.1 * np.exp(rng.normal(0, 0.05, 32))  # a tenth too large
        low, high = VolumeScores.of(true[:31], estimated[:31]).interval_ml(estimated[31], 0.9)
        covered.append(low <= true[31] <= high)
        widths.append((high - low) / true[31])
    assert 0.88 < np.mean(covered) < 0.93
    assert np.median(widths) < 0.2


@pytest.mark.parametrize(
    ("count", "level", "told"),
    [
        (31, 0.99, r"99 % cannot be promised from 31 calibration cases; at most 96\.9 %"),
        (31, 1.0, "The level is 1; expected a number between 0 and 1"),
        (0, 0.5, r"from 0 calibration cases; at most 0\.0 %"),
    ],
)
def test_more_than_the_cases_can_promise_is_refused_with_what_they_can(count, level, told):
    with pytest.raises(UncertaintyError, match=told):
        conformal_range(list(range(count)), level)
    with pytest.raises(UncertaintyError, match=r"expected a number between|cannot be promised from"):
        conformal_quantile([1.0] * 3, max(level, 0.9))


def test_the_range_is_what_trying_every_new_score_finds():
    """By its definition: a new score is held if at least so many of all scores lie as far from the mean of all as it does."""
    rng = np.random.default_rng(4)
    for count, level in ((31, 0.9), (12, 0.8), (5, 0.5)):
        scores = rng.exponential(size=count)  # lopsided
        low, high = conformal_range(scores, level)
        tried = np.linspace(low - 1, high + 1, 8001)
        everything = np.c_[np.tile(scores, (len(tried), 1)), tried]
        distance = np.abs(everything - everything.mean(1, keepdims=True))
        held = tried[(distance >= distance[:, -1:] - 1e-12).mean(1) > 1 - level + 1e-9]
        assert (held.min(), held.max()) == pytest.approx((low, high), abs=2 * (tried[1] - tried[0]))


def test_a_quantile_is_one_of_the_scores():
    assert conformal_quantile(range(1, 32), 0.9) == 29


def test_thresholds_of_contours_are_those_that_hold_95_per_cent():
    """By hand: probabilities 0.99, 0.98, ... 0.00; the segment is the first 40 voxels but the third, and the voxel at 0.10."""
    probabilities = np.arange(99, -1, -1).reshape(10, 10) / 100
    present = np.zeros(100, bool)
    present[:40] = True
    present[[2, 89]] = [False, True]
    outer, inner = contour_thresholds(probabilities, present.reshape(10, 10))
    # Of its 40 voxels 38 lie at 0.61 or above. Of the first 41 voxels 39 are its own, of the first 42 no longer 95 %.
    assert (outer, inner) == (pytest.approx(0.61), pytest.approx(0.59))
    assert present[probabilities.ravel() >= outer].sum() == 38
    assert present[probabilities.ravel() >= inner].mean() > 0.95 > present[probabilities.ravel() >= inner - 0.01].mean()


def test_nine_of_ten_contours_hold_at_90_per_cent():
    scores = ContourScores(outer=tuple(n / 10 for n in range(1, 10)), inner=tuple(n / 10 for n in range(1, 10)))
    assert scores.thresholds(0.9) == (pytest.approx(0.9), pytest.approx(0.1))
    assert scores.thresholds(0.5) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_case_without_the_segment_has_no_score():
    with pytest.raises(UncertaintyError, match="lacks the segment"):
        VolumeScores.of([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(UncertaintyError, match="lacks the segment"):
        contour_thresholds(np.ones(3), np.zeros(3, bool))
