"""Against Captum and MONAI, and windows against the whole."""

from dataclasses import replace

import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Saliency
from monai.visualize import OcclusionSensitivity

from deepseg.explanation.blurring import blurred
from deepseg.explanation.methods import METHODS
from deepseg.explanation.methods.occlusion import Occlusion
from deepseg.networks import build_network

PER_WINDOW = ("grad-cam", "hires-cam", "gradient-times-input", "integrated-gradients", "relevance")


@pytest.fixture
def number_of(a_place):
    """The question as Captum asks it: one number of a batch of images."""
    weights, where = torch.tensor([-0.5, 1.0, -0.5]), a_place / a_place.sum()
    return lambda network: lambda images: torch.einsum("l,nlijk,ijk->n", weights, network(images), where)


def test_grad_cam_is_captums(hand, tiny_spec, number_of, an_image, a_place):
    """On a real network with instance norms, at a coarse layer."""
    image = torch.nn.functional.interpolate(an_image[None], (16, 16, 16))[0]
    where = torch.nn.functional.interpolate(a_place[None, None], (16, 16, 16))[0, 0]
    network = build_network(tiny_spec.network.name, tiny_spec.network.kwargs).eval()
    asked = hand(network, image, where)
    passes = asked.passes
    passes.network.spec = replace(passes.network.spec, network=tiny_spec.network)
    weights, mean = passes.question.weights, passes.question.where
    for layer in ("upsamples.0", "bottleneck"):
        captum = LayerGradCam(lambda images: torch.einsum("l,nlijk,ijk->n", weights, network(images), mean), dict(network.named_modules())[layer])
        expected = LayerGradCam.interpolate(captum.attribute(image[None]), (16, 16, 16), "trilinear")[0, 0]
        found = METHODS["grad-cam"].attribute(replace(asked, layer=layer))
        assert float((found - expected.detach()).abs().max()) < 1e-5


def test_gradients_are_captums(hand, block, number_of, an_image, a_place):
    asked = hand(block, an_image, a_place)
    captum = Saliency(number_of(block)).attribute(an_image[None].requires_grad_(), abs=False)[0]
    torch.testing.assert_close(asked.passes.gradient(an_image.detach())[1], captum, atol=1e-6, rtol=1e-4)
    image = an_image.detach()
    start = blurred(image, asked.passes.network.spec)
    steps = METHODS["integrated-gradients"].passes
    captum = IntegratedGradients(number_of(block)).attribute(image[None], start[None], n_steps=steps, method="gausslegendre")[0].sum(0).float()
    torch.testing.assert_close(METHODS["integrated-gradients"].along(asked, start).sum(0), captum, atol=1e-6, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning")  # MONAI's
@pytest.mark.parametrize(("size", "overlap"), [((4, 4, 4), 0.5), ((5, 3, 4), 0.0), ((6, 6, 6), 0.6)])
def test_occlusion_is_monais(size, overlap, hand, block, number_of, an_image, a_place):
    asked = hand(block, an_image, a_place)
    number, value = number_of(block), 0.25
    monai = OcclusionSensitivity(
        torch.nn.Identity(), mask_size=size, overlap=overlap, mode=value, activate=lambda images: number(images)[:, None], verbose=False
    )
    expected = asked.passes.number(an_image) - monai(an_image[None])[0][0, 0]
    found = Occlusion(size, overlap, fill=lambda image: torch.full_like(image, value)).attribute(asked)
    assert float((found - expected).abs().max()) < 1e-4


@pytest.mark.parametrize("name", PER_WINDOW)
def test_windows_give_the_map_of_the_whole(name, hand, block):
    """A network without norms sees the same in a window as in the image, but for what a window's border hides."""
    image = torch.randn((1, 48, 40, 48), generator=torch.Generator().manual_seed(4))
    where = torch.zeros(image.shape[1:])
    where[4:44, 4:36, 4:44] = 1.0  # in every window: a map is 0 where no window looked
    whole = replace(hand(block, image, where), layer="relu")
    windowed = replace(hand(block, image, where, (32, 32, 32)), layer="relu")
    assert len(windowed.passes.windows) > 4
    expected, found = (METHODS[name].attribute(asked) for asked in (whole, windowed))
    assert float((found - expected).abs().sum() / expected.abs().sum()) < 0.02


def test_a_covered_box_in_windows_is_a_covered_box_in_the_whole(hand, block):
    image = torch.randn((1, 24, 20, 20), generator=torch.Generator().manual_seed(4))
    where = torch.zeros((24, 20, 20))
    where[6:18, 7:14, 5:14] = 1.0
    expected, found = (Occlusion((8, 8, 8), 0.0).attribute(hand(block, image, where, window)) for window in (None, (16, 16, 16)))
    assert float((found - expected).abs().sum() / expected.abs().sum()) < 0.02
