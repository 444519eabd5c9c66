"""Dice, generalised Dice, Tversky, and Dice with cross-entropy."""

import math

import pytest
from monai import losses as stock

from deepseg_train.errors import ConfigError
from deepseg_train.losses.dice import DiceLoss
from deepseg_train.losses.dice_cross_entropy import DiceCrossEntropyLoss
from deepseg_train.losses.generalised_dice import GeneralisedDiceLoss
from deepseg_train.losses.tversky import TverskyLoss

# Four voxels with these probabilities of label 1; the first two are of label 1. Found 0.9 + 0.6 = 1.5, wrongly found 0.3 + 0.1 = 0.4,
# missed 0.1 + 0.4 = 0.5; predicted in all 1.9.
PROBABILITIES, LABELS = (0.9, 0.6, 0.3, 0.1), (1, 1, 0, 0)


def test_dice_by_hand(logits_of, row):
    assert DiceLoss()(logits_of(PROBABILITIES), row(LABELS)).item() == pytest.approx(1 - 2 * 1.5 / (1.9 + 2), abs=1e-5)


def test_tversky_by_hand(logits_of, row):
    expected = 1 - 1.5 / (1.5 + 0.3 * 0.4 + 0.7 * 0.5)
    assert TverskyLoss(alpha=0.3, beta=0.7)(logits_of(PROBABILITIES), row(LABELS)).item() == pytest.approx(expected, abs=1e-5)


def test_generalised_dice_by_hand(logits_of, row):
    # Label 1 has one voxel and weight 1: found 0.9, predicted 1.9. The background has three and weight 1/9: found 0.4 + 0.7 + 0.9, predicted 2.1.
    expected = 1 - 2 * (0.9 + 2.0 / 9) / ((1.9 + 1) + (2.1 + 3) / 9)
    assert GeneralisedDiceLoss()(logits_of(PROBABILITIES), row((1, 0, 0, 0))).item() == pytest.approx(expected, abs=1e-5)


def test_dice_with_cross_entropy_by_hand(logits_of, row):
    cross_entropy = -(math.log(0.9) + math.log(0.6) + math.log(0.7) + math.log(0.9)) / 4
    expected = 0.5 * cross_entropy + 2 * (1 - 3 / 3.9)
    assert DiceCrossEntropyLoss(alpha=0.5, beta=2.0)(logits_of(PROBABILITIES), row(LABELS)).item() == pytest.approx(expected, abs=1e-5)


def test_as_monai_has_them(some_logits, some_target):
    softmax = {"to_onehot_y": True, "softmax": True, "batch": True}
    for ours, theirs in [
        (DiceLoss(), stock.DiceLoss(include_background=False, **softmax)),
        (TverskyLoss(0.2, 0.9), stock.TverskyLoss(include_background=False, alpha=0.2, beta=0.9, **softmax)),
        # MONAI's smoothing is not small beside 1 / voxels squared, so it is left out.
        (GeneralisedDiceLoss(), stock.GeneralizedDiceLoss(smooth_nr=0, smooth_dr=0, **softmax)),
        (DiceCrossEntropyLoss(0.5, 2.0), stock.DiceCELoss(include_background=False, lambda_ce=0.5, lambda_dice=2.0, **softmax)),
    ]:
        assert ours(some_logits, some_target).item() == pytest.approx(theirs(some_logits, some_target).item(), abs=2e-5), type(ours)


def test_a_label_that_is_not_there_weighs_as_much_as_the_smallest(logits_of, row):
    # No label 1: the background has three voxels and weight 1, and so has label 1, which is predicted with 1.2 voxels.
    expected = 1 - 2 * 1.8 / ((1.8 + 3) + 1.2)
    assert GeneralisedDiceLoss()(logits_of((0.4, 0.4, 0.4)), row((0, 0, 0))).item() == pytest.approx(expected, abs=1e-5)


def test_halves_make_tversky_dice(some_logits, some_target):
    assert TverskyLoss(0.5, 0.5)(some_logits, some_target).item() == pytest.approx(DiceLoss()(some_logits, some_target).item(), abs=1e-6)


@pytest.mark.parametrize("kind", [TverskyLoss, DiceCrossEntropyLoss])
def test_weights_that_cannot_be_are_refused(kind):
    for alpha, beta in [(-0.1, 1.0), (0.0, 0.0)]:
        with pytest.raises(ConfigError, match=f"alpha is {alpha} and beta {beta}"):
            kind(alpha, beta)
