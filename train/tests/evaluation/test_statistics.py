"""Intervals and paired tests against numbers worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from deepseg_train.evaluation.statistics import compared, holm, mean_interval, signed_rank_p

PATIENTS = list("abcdefgh")


def test_holm_by_hand():
    # Sorted 0.01, 0.015, 0.03, 0.04: times 4, 3, 2, 1 are 0.04, 0.045, 0.06, 0.04; none may fall below the one before.
    assert holm([0.03, 0.01, 0.04, 0.015]) == pytest.approx([0.06, 0.04, 0.06, 0.045])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_signed_ranks_by_hand():
    # Five differences of one sign: 2 of the 2^5 assignments of signs are as extreme.
    assert signed_rank_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 32)
    # Ranks 1..5 with rank 1 negative: W- is 1, and W <= 1 has 2 of 32 assignments.
    assert signed_rank_p(np.array([-0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(4 / 32)
    # An infinite difference is the largest, zeros are left out.
    assert signed_rank_p(np.array([-0.1, 0.2, 0.0, 0.3, 0.4, np.inf])) == pytest.approx(4 / 32)
    assert signed_rank_p(np.zeros(5)) == 1.0


def test_signed_ranks_with_ties_are_those_of_all_assignments():
    differences = np.array([0.1, 0.1, -0.1, 0.3, 0.3, 0.5, 0.7])
    ranks = stats.rankdata(np.abs(differences))
    sums = np.array([ranks @ np.array(signs) for signs in itertools.product((0, 1), repeat=7)])
    seen = ranks @ (differences > 0)
    exact = min(2 * min((sums <= seen).mean(), (sums >= seen).mean()), 1)
    assert signed_rank_p(differences) == pytest.approx(exact)


def test_an_interval_is_bca_as_its_formulas_say():
    values = np.array([0.3, 0.6, 0.8, 0.82, 0.85, 0.9, 0.92, 0.93])
    found = mean_interval(values, PATIENTS)
    draws = np.random.default_rng(5).choice(values, (200_000, 8)).mean(1)
    without = np.array([np.delete(values, n).mean() for n in range(8)])
    spread = without.mean() - without
    acceleration = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    bias = stats.norm.ppf(((draws < values.mean()).mean() + (draws <= values.mean()).mean()) / 2)
    levels = [stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in stats.norm.ppf([0.025, 0.975])]
    assert found.mean == pytest.approx(values.mean())
    assert [found.low, found.high] == pytest.approx(np.quantile(draws, levels), abs=0.004)
    # The long tail is on the low side.
    assert found.mean - found.low > found.high - found.mean


def test_nine_of_ten_intervals_and_more_hold_the_truth():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(60):
        interval = mean_interval(rng.normal(size=25), [str(n) for n in range(25)])
        held += interval.low <= 0 <= interval.high
    assert 52 <= held <= 60


def test_cases_of_one_patient_count_as_one_piece_of_evidence():
    values = np.repeat([0.5, 0.7, 0.9, 0.8], 10)
    together = mean_interval(values, np.repeat(list("abcd"), 10).tolist())
    apart = mean_interval(values, [str(n) for n in range(40)])
    assert together.mean == pytest.approx(apart.mean)
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_equal_values_and_a_single_patient_have_intervals_without_width():
    assert mean_interval(np.full(5, 0.7), PATIENTS[:5]).low == pytest.approx(0.7)
    one = mean_interval(np.array([0.5, 0.7]), ["a", "a"])
    assert (one.low, one.high) == pytest.approx((0.6, 0.6))


def test_two_values_of_which_bca_knows_nothing_still_have_an_interval():
    found = mean_interval(np.array([0.0, 0.0, 0.0, 0.0, 1.0]), PATIENTS[:5])
    assert 0 <= found.low < 0.2 < found.high <= 1


def test_a_comparison_counts_cases_and_tests_patients():
    first = np.array([0.80, 0.81, 0.82, 0.83, 0.84, 0.85])
    found = compared(first, first + np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.0]), PATIENTS[:6])
    assert (found.higher, found.lower, found.equal, found.cases) == (5, 0, 1, 6)
    assert found.difference.mean == pytest.approx(0.025)
    assert 0 < found.difference.low < 0.025 < found.difference.high
    assert found.p == pytest.approx(2 / 32)
    paired = compared(first, first + np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06]), ["a", "a", "b", "b", "c", "c"])
    assert paired.p == pytest.approx(2 / 8), "three patients, all better"


def test_infinite_and_undefined_values_in_a_comparison():
    first, second = np.array([1.0, math.inf, math.inf, math.nan, 2.0]), np.array([2.0, math.inf, 3.0, 1.0, 2.5])
    found = compared(first, second, PATIENTS[:5])
    assert (found.higher, found.lower, found.equal, found.cases) == (2, 1, 1, 4)
    assert found.difference is None
    # Ranks: 0.5 is 1, 1 is 2, minus infinity is 3; W is 3 on either side.
    assert found.p == pytest.approx(1.0)
    assert compared(np.array([math.nan]), np.array([1.0]), ["a"]) is None
