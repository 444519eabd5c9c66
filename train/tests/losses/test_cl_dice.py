"""Centreline Dice on a line, of which the skeleton is the line itself."""

import pytest
import torch
from monai import losses as stock
from monai.losses.cldice import soft_skel

from deepseg_train.errors import ConfigError
from deepseg_train.losses.cl_dice import ClDiceLoss
from deepseg_train.losses.dice import DiceLoss
from deepseg_train.losses.skeletons import soft_skeleton


def line(*without):
    """Label 1: five voxels in a row along I in (1, 1, 7, 5, 5), but for those at `without`."""
    target = torch.zeros((1, 1, 7, 5, 5), dtype=torch.int64)
    target[0, 0, 1:6, 2, 2] = 1
    for i in without:
        target[0, 0, i, 2, 2] = 0
    return target


def sure_of(target):
    return torch.cat([100.0 - 200 * target, 200.0 * target - 100], 1)


def test_a_gap_by_hand():
    # All 4 predicted voxels lie in the label; of 5 voxels of its skeleton 4 are predicted. With the smoothing 5/5 and 5/6.
    precision, sensitivity = 5 / 5, 5 / 6
    expected = 1 - 2 * precision * sensitivity / (precision + sensitivity)
    assert ClDiceLoss()(sure_of(line(3)), line()).item() == pytest.approx(expected, rel=1e-5)


def test_a_gap_costs_more_than_as_much_at_the_side():
    """For Dice a voxel is a voxel; here one counts that holds two bars together, not one of a bar's corner."""
    target = torch.zeros((1, 1, 13, 7, 7), dtype=torch.int64)
    target[0, 0, 1:5, 2:5, 2:5] = target[0, 0, 8:12, 2:5, 2:5] = 1
    target[0, 0, 5:8, 3, 3] = 1
    broken, scratched = target.clone(), target.clone()
    broken[0, 0, 6, 3, 3] = 0
    scratched[0, 0, 3, 2, 2] = 0
    dice, centreline = DiceLoss(), ClDiceLoss()
    assert dice(sure_of(broken), target) == dice(sure_of(scratched), target)
    assert centreline(sure_of(scratched), target) == 0
    assert centreline(sure_of(broken), target) > 0.05


def test_as_monai_has_it(some_logits, some_target):
    """MONAI adds up labels before it divides; with one label there is no difference but its smoothing of 1e-4."""
    logits, target = some_logits[:, :2], (some_target == 1).long()
    theirs = stock.SoftclDiceLoss(iter_=2, to_onehot_y=True, softmax=True, include_background=False)
    assert ClDiceLoss(iterations=2)(logits, target).item() == pytest.approx(theirs(logits, target).item(), abs=2e-4)


@pytest.mark.parametrize("iterations", [0, 1, 3])
@pytest.mark.parametrize("shape", [(2, 3, 7, 6, 5), (1, 1, 8, 2, 1)])
def test_skeletons_and_their_slopes_are_those_of_monai(shape, iterations):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(4), requires_grad=True)
    ours, theirs = soft_skeleton(image, iterations), soft_skel(image, iterations)
    torch.testing.assert_close(ours, theirs)
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(torch.autograd.grad((ours * weights).sum(), image), torch.autograd.grad((theirs * weights).sum(), image))


def test_iterations_that_cannot_be_are_refused():
    for iterations in (-1, 1.5):
        with pytest.raises(ConfigError, match=f"iterations is {iterations}"):
            ClDiceLoss(iterations)
