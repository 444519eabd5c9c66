"""What every loss must do, whatever it measures; a new line in the registry is tested at once."""

import pytest
import torch

from deepseg_train.losses import LOSSES, LossTerm

SETTINGS = {"weighted-cross-entropy": {"class_weights": (1.0, 2.0, 3.0)}}

every_loss = pytest.mark.parametrize("name", LOSSES)


def built(name):
    return LossTerm(name, settings=SETTINGS.get(name, {})).build((1.0, 1.5, 2.0))


def targets():
    """(2, 1, 6, 5, 4), by what is special about them."""
    shape = (2, 1, 6, 5, 4)
    one_voxel = torch.zeros(shape, dtype=torch.int64)
    one_voxel[0, 0, 3, 2, 1] = 1
    return {
        "all background": torch.zeros(shape, dtype=torch.int64),
        "all one label": torch.ones(shape, dtype=torch.int64),
        "one voxel": one_voxel,
        "any": torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(0)),
    }


def sure_of(target):
    """Logits of 100 for what is true and -100 for what is not."""
    one_hot = torch.nn.functional.one_hot(target[:, 0], 3).movedim(-1, 1)
    return 200.0 * one_hot - 100


@every_loss
@pytest.mark.parametrize("case", ["all background", "all one label", "one voxel", "any"])
def test_value_and_slope_are_finite(name, case):
    target, loss = targets()[case], built(name)
    right = sure_of(target)
    answers = {"undecided": torch.zeros_like(right), "sure and right": right, "sure and wrong": -right}
    for what, logits in answers.items():
        logits.requires_grad_()
        value = loss(logits, target)
        assert value.shape == () and value.dtype == torch.float32, what
        assert torch.isfinite(value), what
        (slope,) = torch.autograd.grad(value, logits)
        assert torch.isfinite(slope).all(), what


@every_loss
def test_the_truth_is_the_best_answer(name):
    target, loss = targets()["any"], built(name)
    right = sure_of(target)
    best = loss(right, target)
    assert best < loss(torch.zeros_like(right), target)
    assert best < loss(-right, target)
    if not loss.may_be_negative:
        assert best == pytest.approx(0, abs=1e-4)


@every_loss
def test_the_slope_is_that_of_the_value(name):
    """Against differences along random directions, in double precision."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn((1, 3, 4, 3, 2), generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 3, (1, 1, 4, 3, 2), generator=generator)
    loss = built(name)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits, eps=1e-6, atol=1e-5, fast_mode=True)


@every_loss
def test_following_the_slope_makes_it_smaller(name):
    target, loss = targets()["any"], built(name)
    logits = torch.randn((2, 3, 6, 5, 4), generator=torch.Generator().manual_seed(2), requires_grad=True)
    before = loss(logits, target)
    (slope,) = torch.autograd.grad(before, logits)
    assert loss(logits - 0.1 * slope / slope.norm(), target) < before


@every_loss
def test_a_target_of_another_shape_is_refused(name):
    with pytest.raises(ValueError, match=r"need one of \(2, 1, 6, 5, 4\)"):
        built(name)(torch.zeros((2, 3, 6, 5, 4)), torch.zeros((2, 2, 6, 5, 4), dtype=torch.int64))
