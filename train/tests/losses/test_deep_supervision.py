"""The loss of several heads, and of a network that learns the noise of its logits."""

import math

import pytest
import torch
from monai.losses import DiceCELoss

from deepseg_train.errors import ConfigError
from deepseg_train.losses import DeepSupervisionLoss, LossSettings, LossTerm, NoisyLogitsLoss


@pytest.fixture
def heads() -> torch.Tensor:
    """Three heads of two images with three channels."""
    return torch.randn((2, 3, 3, 7, 6, 5), generator=torch.Generator().manual_seed(0))


def test_the_loss_of_one_head_is_dice_plus_cross_entropy():
    # Two voxels, labels 0 and 1, both given probability 0.75 for label 1 (logits 0 and ln 3).
    logits = torch.tensor([0.0, math.log(3.0)]).reshape(1, 1, 2, 1, 1, 1).expand(1, 1, 2, 2, 1, 1)
    target = torch.tensor([0, 1]).reshape(1, 1, 2, 1, 1)
    cross_entropy = -(math.log(0.25) + math.log(0.75)) / 2
    dice = 1 - 2 * 0.75 / (1 + 1.5)
    assert DeepSupervisionLoss()(logits, target).item() == pytest.approx(cross_entropy + dice, abs=1e-4)


def test_deeper_heads_count_half_as_much_each():
    generator = torch.Generator().manual_seed(0)
    heads = torch.randn((2, 3, 3, 4, 4, 4), generator=generator)
    target = torch.randint(0, 3, (2, 1, 4, 4, 4), generator=generator)
    loss = DeepSupervisionLoss()
    single = [loss(heads[:, n : n + 1], target).item() for n in range(3)]
    assert loss(heads, target).item() == pytest.approx((single[0] + single[1] / 2 + single[2] / 4) / 1.75, rel=1e-5)


def test_what_nobody_sets_is_cross_entropy_and_dice_with_halving(heads, some_target):
    """MONAI's loss, value and slope: what the shipped models were trained with."""
    theirs = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)
    slopes, values = [], []
    for loss in (DeepSupervisionLoss(), lambda h, t: sum(0.5**n * theirs(h[:, n], t) for n in range(3)) / 1.75):
        free = heads.clone().requires_grad_()
        values.append(loss(free, some_target))
        slopes.append(torch.autograd.grad(values[-1], free)[0])
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(slopes[0], slopes[1], atol=1e-8, rtol=1e-5)


def test_given_weights_of_heads_are_brought_to_one(heads, some_target):
    terms = (LossTerm("focal"), LossTerm("boundary", warm_in_epochs=2))
    given = DeepSupervisionLoss(LossSettings(terms, head_weights=(3.0, 0.0, 1.0)), spacing_mm=(1.0, 1.5, 2.0))
    single = DeepSupervisionLoss(LossSettings(terms), spacing_mm=(1.0, 1.5, 2.0))
    for epoch in (0, 1):
        given.at_epoch(epoch)
        single.at_epoch(epoch)
        of_heads = [single(heads[:, n : n + 1], some_target) for n in range(3)]
        torch.testing.assert_close(given(heads, some_target), (3 * of_heads[0] + of_heads[2]) / 4)


def test_weights_for_another_number_of_heads_are_refused(heads, some_target):
    with pytest.raises(ConfigError, match="head_weights has 2 numbers, but the network has 3 heads"):
        DeepSupervisionLoss(LossSettings(head_weights=(1.0, 0.5)))(heads, some_target)


def test_without_noise_cross_entropy_counts_once_more():
    generator = torch.Generator().manual_seed(0)
    heads = torch.randn((2, 2, 3, 4, 4, 4), generator=generator)
    target = torch.randint(0, 3, (2, 1, 4, 4, 4), generator=generator)
    no_noise = torch.full((2, 1, 3, 4, 4, 4), -100.0)
    expected = DeepSupervisionLoss()(heads, target) + torch.nn.functional.cross_entropy(heads[:, 0], target[:, 0])
    assert NoisyLogitsLoss()(torch.cat([heads, no_noise], 1), target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_noise_pays_where_the_network_is_sure_and_wrong():
    """And costs where it is sure and right; so it is learned where labels cannot be told from the image."""
    torch.manual_seed(0)
    logits = torch.zeros((1, 1, 2, 8, 8, 8))
    logits[:, :, 1] = 6.0

    def slope(label):
        spread = torch.zeros((1, 1, 2, 8, 8, 8), requires_grad=True)
        NoisyLogitsLoss()(torch.cat([logits, spread], 1), torch.full((1, 1, 8, 8, 8), label)).backward()
        return spread.grad.sum().item()

    assert slope(0) < 0 < slope(1)
