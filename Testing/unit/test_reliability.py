"""Errors of calibration on probabilities whose truth is known."""

import numpy as np
import pytest
import torch

from deepseg.uncertainty.reliability import Reliability, boundary_band, brier_score, negative_log_likelihood


def drawn(count: int, sharper: float = 1.0, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes drawn from known distributions, and these distributions sharpened: (L, N) and (N)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (classes, count))
    true = torch.softmax(torch.from_numpy(logits), 0)
    target = torch.from_numpy((rng.random(count) > true.numpy().cumsum(0)).sum(0).clip(max=classes - 1))
    return torch.softmax(torch.from_numpy(logits * sharper), 0).float(), target


def test_true_probabilities_have_no_error_of_calibration():
    probabilities, target = drawn(200_000)
    for label in range(3):
        found = Reliability.of(probabilities[label].numpy(), (target == label).numpy())
        assert found.expected_error < 0.004
        assert (found.count == found.count[0]).all() or np.ptp(found.count) == 1
        assert len(found.count) == 15


def test_the_error_of_what_is_too_confident_is_the_gap():
    present = np.arange(1000) % 2 == 0
    assert Reliability.of(np.full(1000, 0.8), present).expected_error == pytest.approx(0.3, abs=0.02)
    certain = np.where(present, 1.0, 0.0)
    assert Reliability.of(certain, present).expected_error == pytest.approx(0, abs=1e-9)


def test_scores_are_their_definitions():
    p, present = np.array([0.9, 0.2, 0.5, 0.0]), np.array([True, False, True, True])
    assert brier_score(p, present) == pytest.approx((0.01 + 0.04 + 0.25 + 1.0) / 4)
    assert negative_log_likelihood(p, present) == pytest.approx(-(np.log(0.9) + np.log(0.8) + np.log(0.5) + np.log(1e-7)) / 4)


def test_the_band_lies_within_three_voxels_of_the_boundary_on_both_sides():
    present = np.zeros((20, 20, 20), bool)
    present[10:] = True
    band = boundary_band(present)
    assert band.any(axis=(1, 2)).tolist() == [7 <= n < 13 for n in range(20)]
    assert not boundary_band(np.zeros((4, 4, 4), bool)).any()


def test_bins_of_equal_width_hold_what_lies_between_their_edges():
    probabilities = np.array([0.01, 0.05, 0.55, 0.56, 0.57, 0.99])
    present = np.array([False, False, True, False, True, True])
    found = Reliability.of(probabilities, present, bins=10, equal_mass=False)
    assert found.count.tolist() == [2, 3, 1]
    np.testing.assert_allclose(found.predicted, [0.03, 0.56, 0.99])
    np.testing.assert_allclose(found.observed, [0, 2 / 3, 1])
    assert found.expected_error == pytest.approx((2 * 0.03 + 3 * (2 / 3 - 0.56) + 0.01) / 6)
