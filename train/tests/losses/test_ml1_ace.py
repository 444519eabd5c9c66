"""The calibration error by hand, and that it is nought for probabilities that mean what they say."""

import pytest
import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.ml1_ace import MarginalCalibrationLoss


def test_two_bins_by_hand(logits_of, row):
    # Label 1: 0.9 and 0.6, mean 0.75, one of two true; 0.3 and 0.1, mean 0.2, none true. The background: 0.1 and 0.4, mean 0.25, one of two true;
    # 0.7 and 0.9, mean 0.8, all true.
    expected = ((0.25 + 0.2) / 2 + (0.25 + 0.2) / 2) / 2
    loss = MarginalCalibrationLoss(bins=2)
    assert loss(logits_of((0.9, 0.6, 0.3, 0.1)), row((1, 0, 0, 0))).item() == pytest.approx(expected, rel=1e-5)


def test_empty_bins_do_not_count(logits_of, row):
    # Of ten bins two hold voxels: of label 1 those of 0.92 and 0.31, of the background those of 0.08 and 0.69.
    expected = (((1 - 0.92) + 0.31) / 2 + (0.08 + (1 - 0.69)) / 2) / 2
    assert MarginalCalibrationLoss(bins=10)(logits_of((0.92, 0.31)), row((1, 0))).item() == pytest.approx(expected, rel=1e-5)


def test_images_are_judged_one_by_one(logits_of, row):
    """An image too sure and one not sure enough do not make up for each other."""
    half = logits_of((0.5, 0.5))
    both, labels = torch.cat([half, half]), torch.cat([row((1, 1)), row((0, 0))])
    assert MarginalCalibrationLoss()(both, labels).item() == pytest.approx(0.5, rel=1e-5)


def test_labels_drawn_from_the_probabilities_are_calibrated():
    generator = torch.Generator().manual_seed(0)
    logits = 1.5 * torch.randn((1, 2, 60, 60, 60), generator=generator)
    drawn = (torch.rand((1, 1, 60, 60, 60), generator=generator) < logits.softmax(1)[:, 1:]).long()
    loss = MarginalCalibrationLoss()
    assert loss(logits, drawn) < 0.01
    assert loss(3 * logits, drawn) > 0.1


def test_bins_that_cannot_be_are_refused():
    for bins in (1, 2.5):
        with pytest.raises(ConfigError, match=f"bins is {bins}"):
            MarginalCalibrationLoss(bins)
