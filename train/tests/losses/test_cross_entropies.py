"""Cross-entropy, plain, weighted and focal."""

import math

import pytest
import torch
from monai import losses as stock
from torch.nn import functional

from deepseg_train.errors import ConfigError
from deepseg_train.losses.cross_entropy import CrossEntropyLoss
from deepseg_train.losses.focal import FocalLoss
from deepseg_train.losses.weighted_cross_entropy import WeightedCrossEntropyLoss

# Four voxels with these probabilities of label 1; the first two are of label 1. So what is true has probability 0.9, 0.6, 0.7, 0.9.
PROBABILITIES, LABELS = (0.9, 0.6, 0.3, 0.1), (1, 1, 0, 0)


def test_cross_entropy_by_hand(logits_of, row):
    expected = -(math.log(0.9) + math.log(0.6) + math.log(0.7) + math.log(0.9)) / 4
    assert CrossEntropyLoss()(logits_of(PROBABILITIES), row(LABELS)).item() == pytest.approx(expected, rel=1e-6)


def test_weighted_by_hand(logits_of, row):
    # Background weighs 1, label 1 weighs 3: 8 in all.
    expected = -(3 * math.log(0.9) + 3 * math.log(0.6) + math.log(0.7) + math.log(0.9)) / 8
    assert WeightedCrossEntropyLoss((1.0, 3.0))(logits_of(PROBABILITIES), row(LABELS)).item() == pytest.approx(expected, rel=1e-6)


def test_focal_by_hand(logits_of, row):
    expected = -(0.1**2 * math.log(0.9) + 0.4**2 * math.log(0.6) + 0.3**2 * math.log(0.7) + 0.1**2 * math.log(0.9)) / 4
    assert FocalLoss(gamma=2.0)(logits_of(PROBABILITIES), row(LABELS)).item() == pytest.approx(expected, rel=1e-5)


def test_as_pytorch_and_monai_have_them(some_logits, some_target):
    weights, batch = (0.2, 1.0, 3.0), (some_logits, some_target)
    torch.testing.assert_close(CrossEntropyLoss()(*batch), functional.cross_entropy(some_logits, some_target[:, 0]))
    torch.testing.assert_close(
        WeightedCrossEntropyLoss(weights)(*batch), functional.cross_entropy(some_logits, some_target[:, 0], weight=torch.tensor(weights))
    )
    # MONAI takes the mean over channels too, of which all but the true one are 0.
    torch.testing.assert_close(FocalLoss(gamma=1.5)(*batch), 3 * stock.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=1.5)(*batch))


def test_focal_without_focus_is_cross_entropy(some_logits, some_target):
    torch.testing.assert_close(FocalLoss(gamma=0.0)(some_logits, some_target), CrossEntropyLoss()(some_logits, some_target))


def test_focal_has_a_slope_at_powers_below_one():
    """(1 - p)^0.5 has none at p = 1."""
    logits = torch.tensor([-100.0, 100.0]).reshape(1, 2, 1, 1, 1).requires_grad_()
    (slope,) = torch.autograd.grad(FocalLoss(gamma=0.5)(logits, torch.ones((1, 1, 1, 1, 1), dtype=torch.int64)), logits)
    assert slope.abs().max() == pytest.approx(0, abs=1e-6)


def test_a_batch_that_weighs_nothing_has_no_loss(some_logits, some_target):
    assert WeightedCrossEntropyLoss((0.0, 1.0, 1.0))(some_logits, torch.zeros_like(some_target)) == 0


def test_weights_that_do_not_fit_are_refused(some_logits, some_target):
    with pytest.raises(ConfigError, match="has 2 numbers; this model has 3 channels"):
        WeightedCrossEntropyLoss((1.0, 2.0))(some_logits, some_target)
    for weights in [(1.0, -1.0), (0.0, 0.0), (), 3.0]:
        with pytest.raises(ConfigError, match="class_weights is"):
            WeightedCrossEntropyLoss(weights)
    with pytest.raises(ConfigError, match="gamma is -1"):
        FocalLoss(gamma=-1.0)
