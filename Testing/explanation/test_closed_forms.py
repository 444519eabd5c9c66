"""Each method on networks that can be done by hand: one convolution, and one block with a ReLU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch.nn import functional

from deepseg.explanation.blurring import blurred
from deepseg.explanation.methods import METHODS
from deepseg.explanation.methods.occlusion import CoarseToFineOcclusion, Lattice, Occlusion
from deepseg.explanation.relevance_rules import GAMMA

LABEL = torch.tensor([-0.5, 1.0, -0.5])
"""The label's logit minus the mean of the others."""


def kernel_of(layer):
    """One convolution that gives what the three channels add up to, (1, 1, 3, 3, 3), and its bias."""
    return torch.einsum("l,lcijk->cijk", LABEL, layer.weight)[None], float(LABEL @ layer.bias)


def slope_of_convolution(layer, where):
    """What each voxel adds to the mean over `where`: the kernel, turned round, over it."""
    return functional.conv_transpose3d((where / where.sum())[None, None], kernel_of(layer)[0], padding=1)[0, 0]


@pytest.fixture
def linear(hand, convolution, an_image, a_place):
    return hand(convolution, an_image, a_place), slope_of_convolution(convolution.layer, a_place)


def test_the_number_is_the_mean_lead_of_the_label(linear, convolution, an_image, a_place):
    asked, slope = linear
    expected = float((slope * an_image[0]).sum()) + kernel_of(convolution.layer)[1]
    assert asked.passes.number(an_image) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gradient-times-input", lambda slope, image, start: slope * image),
        ("smooth-grad", lambda slope, image, start: slope),
        ("integrated-gradients", lambda slope, image, start: slope * (image - start)),
    ],
)
def test_of_one_convolution_every_gradient_is_its_kernel(name, expected, linear, an_image):
    asked, slope = linear
    start = blurred(an_image, asked.passes.network.spec)[0]
    torch.testing.assert_close(METHODS[name].attribute(asked), expected(slope, an_image[0], start), atol=1e-5, rtol=1e-4)


def test_a_covered_box_costs_what_its_voxels_add(linear, an_image):
    asked, slope = linear
    each, total, count = slope * (an_image[0] - blurred(an_image, asked.passes.network.spec)[0]), torch.zeros(slope.shape), torch.zeros(slope.shape)
    lattice = Lattice(tuple(slope.shape), (4, 4, 4), 0.5)
    for box in map(lattice.box, np.ndindex(lattice.shape)):
        total[box] += each[box].sum()
        count[box] += 1
    torch.testing.assert_close(Occlusion((4, 4, 4), 0.5).attribute(asked), total / count, atol=1e-5, rtol=1e-4)


def test_relevance_of_one_convolution_by_the_rule_written_out(linear, convolution, an_image, a_place):
    """For each output: what each input adds, what agrees in sign counting more, scaled so that all of it and the bias arrive."""
    asked, _ = linear
    padded = functional.pad(an_image, (1,) * 6)[0]
    expected, where = torch.zeros(padded.shape), a_place / a_place.sum()
    for channel, share in enumerate(LABEL):
        kernel, bias = convolution.layer.weight[channel, 0], convolution.layer.bias[channel]
        for i, j, k in torch.nonzero(where).tolist():
            adds = padded[i : i + 3, j : j + 3, k : k + 3] * kernel
            counted = adds + GAMMA * (adds.clamp_min(0) if adds.sum() > 0 else adds.clamp_max(0))
            expected[i : i + 3, j : j + 3, k : k + 3] += share * where[i, j, k] * counted * (adds.sum() + bias) / counted.sum()
    torch.testing.assert_close(METHODS["relevance"].attribute(asked), expected[1:-1, 1:-1, 1:-1], atol=1e-4, rtol=1e-3)


@pytest.fixture
def nonlinear(hand, block, an_image, a_place):
    asked = hand(block, an_image, a_place)
    with torch.no_grad():
        before = block.first(an_image[None])[0]
    weights = torch.einsum("l,lcijk->c", LABEL, block.last.weight)
    where = a_place / a_place.sum()
    return replace(asked, layer="first"), before, weights, where


def test_of_a_block_the_gradient_passes_where_the_relu_lets_it(nonlinear, block, an_image):
    asked, before, weights, where = nonlinear
    slope = functional.conv_transpose3d((where * weights[:, None, None, None] * (before > 0))[None], block.first.weight, padding=1)[0, 0]
    torch.testing.assert_close(METHODS["gradient-times-input"].attribute(asked), slope * an_image[0], atol=1e-5, rtol=1e-4)


def test_of_a_block_integrated_gradients_count_how_long_each_unit_is_open(hand, block, an_image, a_place):
    """On the straight way from one image to the other a unit opens or closes once, at a share of the way that can be worked out."""
    asked = hand(block, an_image, a_place)
    start = blurred(an_image, asked.passes.network.spec)
    with torch.no_grad():
        low, high = block.first(start[None])[0], block.first(an_image[None])[0]
    turn = (low / (low - high)).clamp(0, 1)
    open_for = torch.where((low > 0) & (high > 0), 1.0, torch.where((low <= 0) & (high <= 0), 0.0, torch.where(high > 0, 1 - turn, turn)))
    weights, where = torch.einsum("l,lcijk->c", LABEL, block.last.weight), a_place / a_place.sum()
    slope = functional.conv_transpose3d((where * weights[:, None, None, None] * open_for)[None], block.first.weight, padding=1)[0, 0]
    expected = slope * (an_image - start)[0]
    found = METHODS["integrated-gradients"].attribute(asked)
    assert float((found - expected).abs().sum() / expected.abs().sum()) < 0.03
    assert np.corrcoef(found.flatten(), expected.flatten())[0, 1] > 0.999


def test_integrated_gradients_are_complete(hand, block, an_image, a_place):
    """The steps alone within 1 %; the map, for which the rest is shared out, exactly."""
    asked, method = hand(block, an_image, a_place), METHODS["integrated-gradients"]
    start = blurred(an_image, asked.passes.network.spec)
    change = asked.passes.number(an_image) - asked.passes.number(start)
    assert float(method.along(asked, start).sum()) == pytest.approx(change, rel=0.01)
    assert float(method.attribute(asked).sum()) == pytest.approx(change, rel=1e-4)


@pytest.mark.parametrize("network", ["convolution", "block"])
def test_relevance_is_complete(network, hand, an_image, a_place, request):
    """All of the number arrives on the voxels: the biases' part as well."""
    asked = hand(request.getfixturevalue(network), an_image, a_place)
    assert float(METHODS["relevance"].attribute(asked).sum()) == pytest.approx(asked.passes.number(an_image), rel=0.01)


def test_grad_cam_and_its_kin_by_hand(nonlinear):
    asked, before, weights, where = nonlinear
    slope = where * weights[:, None, None, None] * (before > 0)
    torch.testing.assert_close(METHODS["hires-cam"].attribute(asked), (slope * before).sum(0), atol=1e-6, rtol=1e-4)
    mean = slope.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(METHODS["grad-cam"].attribute(asked), (mean * before).sum(0), atol=1e-6, rtol=1e-4)
    below = 2 * slope**2 + before.sum((1, 2, 3), keepdim=True) * slope**3
    share = torch.where(below != 0, slope**2 / below, 0)
    plus = (share * slope.clamp_min(0)).sum((1, 2, 3), keepdim=True)
    torch.testing.assert_close(METHODS["grad-cam++"].attribute(asked), (plus * before).sum(0), atol=1e-5, rtol=1e-3)


def test_coarse_to_fine_spends_a_tenth_and_ranks_regions_alike(hand, convolution):
    """Structures as large as boxes: between boxes that lie close, losses change steadily."""
    image = functional.interpolate(torch.randn((1, 1, 6, 6, 6), generator=torch.Generator().manual_seed(5)), 36, mode="trilinear")[0]
    where = torch.ones((36, 36, 36))
    asked = hand(convolution, image, where)
    found, passes = [], []
    for kind in (Occlusion, CoarseToFineOcclusion):
        method, before = kind((12, 12, 12), 0.75), asked.passes.count
        found.append(method.attribute(asked))
        passes.append(asked.passes.count - before)
        assert passes[-1] <= method.passes_over((36, 36, 36))
    assert passes[1] <= passes[0] / 10
    full, quick = (torch.nn.functional.avg_pool3d(values[None], 6).flatten().numpy() for values in found)
    assert spearmanr(full, quick).statistic >= 0.95
