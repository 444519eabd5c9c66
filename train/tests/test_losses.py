"""The loss against numbers worked out by hand."""

import math

import pytest
import torch

from deepseg_train.losses import DeepSupervisionLoss


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
