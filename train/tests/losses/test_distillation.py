"""Learning from probabilities."""

import math

import pytest
import torch

from deepseg_train.losses import DistillationLoss


def test_by_hand(logits_of):
    # Two voxels: the teacher gives label 1 0.8 and 0.1, the student 0.6 and 0.3.
    teacher = logits_of((0.8, 0.1)).exp()
    divergence = (0.8 * math.log(0.8 / 0.6) + 0.2 * math.log(0.2 / 0.4) + 0.1 * math.log(0.1 / 0.3) + 0.9 * math.log(0.9 / 0.7)) / 2
    assert DistillationLoss()(logits_of((0.6, 0.3)), teacher).item() == pytest.approx(divergence, abs=1e-6)


def test_a_temperature_by_hand():
    # At temperature 2 the student's logits 0 and 2 ln 3 are 0 and ln 3: probabilities 1/4 and 3/4; times 2 squared.
    logits = torch.tensor([0.0, 2 * math.log(3.0)]).reshape(1, 2, 1, 1, 1)
    teacher = torch.tensor([0.5, 0.5]).reshape(1, 2, 1, 1, 1)
    expected = 4 * (0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75))
    assert DistillationLoss(temperature=2.0)(logits, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_whoever_agrees_has_nothing_to_learn(some_logits):
    teacher = some_logits.softmax(1)
    loss = DistillationLoss()
    assert loss(some_logits, teacher).item() == pytest.approx(0, abs=1e-6)
    nudge = 0.3 * torch.randn(some_logits.shape, generator=torch.Generator().manual_seed(0))
    assert loss(some_logits + nudge, teacher) > 0.01


def test_the_slope_is_that_of_the_value():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn((1, 3, 3, 2, 2), generator=generator, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn((1, 3, 3, 2, 2), generator=generator, dtype=torch.float64).softmax(1)
    loss = DistillationLoss(temperature=3.0)
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher), logits, eps=1e-6, atol=1e-5)


def test_finite_for_a_teacher_and_a_student_who_are_sure():
    sure = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1)
    for logits in (100 - 200 * sure, 200 * sure - 100):
        logits.requires_grad_()
        value = DistillationLoss()(logits, sure)
        assert torch.isfinite(value) and torch.isfinite(torch.autograd.grad(value, logits)[0]).all()
