"""Sums of losses: what a config says, what is phased in, what is learned."""

import math

import pytest
import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses import CombinedLoss, LearnedWeights, LossSettings, LossTerm
from deepseg_train.losses.boundary import BoundaryLoss
from deepseg_train.losses.cross_entropy import CrossEntropyLoss
from deepseg_train.losses.dice import DiceLoss
from deepseg_train.losses.tversky import TverskyLoss

CROSS_ENTROPY, DICE = LossTerm("cross-entropy"), LossTerm("dice")


def test_terms_are_weighted_and_set_up(some_logits, some_target):
    terms = (LossTerm("cross-entropy", 0.5), LossTerm("tversky", 2.0, settings={"alpha": 0.1, "beta": 0.6}))
    expected = 0.5 * CrossEntropyLoss()(some_logits, some_target) + 2 * TverskyLoss(0.1, 0.6)(some_logits, some_target)
    torch.testing.assert_close(CombinedLoss(LossSettings(terms))(some_logits, some_target), expected)


def test_voxel_sizes_reach_the_terms(some_logits, some_target):
    spacing = (1.0, 2.0, 3.0)
    terms = (DICE, LossTerm("boundary"))
    expected = DiceLoss()(some_logits, some_target) + BoundaryLoss(spacing_mm=spacing)(some_logits, some_target)
    torch.testing.assert_close(CombinedLoss(LossSettings(terms), spacing_mm=spacing)(some_logits, some_target), expected)


def test_a_term_is_phased_in(some_logits, some_target):
    loss = CombinedLoss(LossSettings((DICE, LossTerm("boundary", 0.5, warm_in_epochs=4))))
    dice, boundary = DiceLoss()(some_logits, some_target), BoundaryLoss()(some_logits, some_target)
    torch.testing.assert_close(loss(some_logits, some_target), dice)
    for epoch, weight in [(0, 0.0), (1, 0.125), (2, 0.25), (4, 0.5), (9, 0.5)]:
        loss.at_epoch(epoch)
        torch.testing.assert_close(loss(some_logits, some_target), dice + weight * boundary)


def test_learned_weights_by_hand():
    weights = LearnedWeights(["a", "b"])
    with torch.no_grad():
        weights.log_variances.copy_(torch.tensor([math.log(2.0), math.log(0.5)]))
    found = weights({"a": torch.tensor(3.0), "b": torch.tensor(5.0)})
    # Weights 1/2 and 2, plus half the logarithms.
    assert found["a"].item() == pytest.approx(3 / 2 + math.log(2) / 2)
    assert found["b"].item() == pytest.approx(5 * 2 - math.log(2) / 2)
    assert weights.weights == pytest.approx({"a": 0.5, "b": 2.0})


def test_weights_are_learned_until_the_losses_are_balanced():
    """At its best a weight is 1 / (2 L)."""
    weights = LearnedWeights(["large", "small"])
    for _ in range(100):
        total = sum(weights({"large": torch.tensor(4.0), "small": torch.tensor(0.1)}).values())
        (slope,) = torch.autograd.grad(total, weights.log_variances)
        with torch.no_grad():
            weights.log_variances -= 0.5 * slope
    assert weights.weights == pytest.approx({"large": 1 / 8, "small": 5.0}, rel=1e-2)


def test_a_combined_loss_learns_its_weights(some_logits, some_target):
    loss = CombinedLoss(LossSettings((CROSS_ENTROPY, LossTerm("dice", 2.0), LossTerm("focal", warm_in_epochs=5)), weighting="learned"))
    # At the start all log-variances are 0: the sum is that of fixed weights.
    cross_entropy, dice = CrossEntropyLoss()(some_logits, some_target), DiceLoss()(some_logits, some_target)
    value = loss(some_logits, some_target)
    torch.testing.assert_close(value, cross_entropy + 2 * dice)
    value.backward()
    # d/ds of w (exp(-s) L + s / 2) at s = 0 is w (1/2 - L); what is not there yet learns nothing.
    torch.testing.assert_close(loss.learned.log_variances.grad, torch.stack([0.5 - cross_entropy, 2 * (0.5 - dice), torch.tensor(0.0)]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: LossTerm("dise"), "no loss named 'dise'. Did you mean 'dice'?"),
        (lambda: LossTerm("something"), "Known: cross-entropy, weighted-cross-entropy, dice"),
        (lambda: LossTerm("dice", 0.0), "weight of 'dice' is 0.0"),
        (lambda: LossTerm("dice", warm_in_epochs=-1), "warm_in_epochs of 'dice' is -1"),
        (lambda: LossTerm("dice", settings={"alpha": 1.0}), "'dice' has no setting 'alpha'. Known: none."),
        (lambda: LossTerm("tversky", settings={"alhpa": 1.0}), "'tversky' has no setting 'alhpa'. Did you mean 'alpha'?"),
        (lambda: LossTerm("tversky", settings={"alpha": (1.0, 2.0)}), "alpha of 'tversky' is (1.0, 2.0); expected a number."),
        (lambda: LossTerm("focal", settings={"gamma": -2.0}), "gamma is -2.0"),
        (lambda: LossTerm("weighted-cross-entropy"), "'weighted-cross-entropy' needs class_weights."),
        (lambda: LossSettings(()), "at least one must be there from the first epoch"),
        (lambda: LossSettings((LossTerm("dice", warm_in_epochs=3),)), "at least one must be there from the first epoch"),
        (lambda: LossSettings((DICE, DICE)), "each loss can be there once"),
        (lambda: LossSettings(head_weights=(1.0, -1.0)), "head_weights is (1.0, -1.0)"),
        (lambda: LossSettings(head_weights=(0.0, 0.0)), "head_weights is (0.0, 0.0)"),
        (lambda: LossSettings((DICE, LossTerm("boundary")), weighting="learned"), "'boundary' may be negative"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ConfigError) as refusal:
        wrong()
    assert message in str(refusal.value)
