"""Errors of calibration on probabilities whose truth is known, and what a temperature mends."""

import numpy as np
import pytest
import torch

from deepseg.uncertainty.calibration import (
    Reliability,
    boundary_band,
    brier_score,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)


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


def test_the_error_of_what_promises_too_much_is_the_gap():
    present = np.arange(1000) % 2 == 0
    assert Reliability.of(np.full(1000, 0.8), present).expected_error == pytest.approx(0.3, abs=0.02)
    certain = np.where(present, 1.0, 0.0)
    assert Reliability.of(certain, present).expected_error == pytest.approx(0, abs=1e-9)


def test_scores_are_their_definitions():
    p, present = np.array([0.9, 0.2, 0.5, 0.0]), np.array([True, False, True, True])
    assert brier_score(p, present) == pytest.approx((0.01 + 0.04 + 0.25 + 1.0) / 4)
    assert negative_log_likelihood(p, present) == pytest.approx(-(np.log(0.9) + np.log(0.8) + np.log(0.5) + np.log(1e-7)) / 4)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("sharper", [2.5, 0.6])
def test_a_temperature_finds_back_what_was_sharpened(sharper, per_channel):
    probabilities, target = drawn(60_000, sharper)
    found = fit_temperature(probabilities, target, overlapping=False, per_channel=per_channel)
    assert found.shape == ((3,) if per_channel else (1,))
    np.testing.assert_allclose(found.numpy(), sharper, rtol=0.06)
    mended = with_temperature(probabilities, found, overlapping=False)
    torch.testing.assert_close(mended.sum(0), torch.ones(60_000))
    for label in range(3):
        before, after = (Reliability.of(p[label].numpy(), (target == label).numpy()).expected_error for p in (probabilities, mended))
        assert after < 0.01 < before


def test_labels_that_may_overlap_are_mended_one_by_one():
    rng = np.random.default_rng(2)
    logits = torch.from_numpy(rng.normal(0, 2, (2, 60_000)))
    target = torch.from_numpy(rng.random((2, 60_000))) < torch.sigmoid(logits)
    sharpened = torch.sigmoid(logits * torch.tensor([[3.0], [0.5]])).float()
    found = fit_temperature(sharpened, target, overlapping=True, per_channel=True)
    np.testing.assert_allclose(found.numpy(), [3.0, 0.5], rtol=0.06)


def test_a_temperature_of_one_changes_nothing_and_keeps_the_likeliest():
    probabilities, _ = drawn(1000)
    torch.testing.assert_close(with_temperature(probabilities, torch.ones(1), overlapping=False), probabilities)
    for temperature in (0.3, 4.0):
        assert torch.equal(with_temperature(probabilities, torch.tensor([temperature]), overlapping=False).argmax(0), probabilities.argmax(0))


def test_the_band_lies_within_three_voxels_of_the_boundary_on_both_sides():
    present = np.zeros((20, 20, 20), bool)
    present[10:] = True
    band = boundary_band(present)
    assert band.any(axis=(1, 2)).tolist() == [7 <= n < 13 for n in range(20)]
    assert not boundary_band(np.zeros((4, 4, 4), bool)).any()
