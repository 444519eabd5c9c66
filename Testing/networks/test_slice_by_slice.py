"""A network of slices over volumes: slice by slice the same, in the order of channels that 2.5D models have."""

from dataclasses import replace

import pytest
import torch

from deepseg.errors import ModelError
from deepseg.inference import infer_logits
from deepseg.networks import build_network
from deepseg.spec import NetworkSpec, WindowSpec
from small_networks import small_spec

UNET = {"spatial_dims": 2, "out_channels": 3, "channels": [4, 6, 8], "strides": [2, 2]}


def sliced(axis: int, context: int = 0, channels: int = 2, **kwargs):
    settings = {**UNET, "in_channels": channels * (2 * context + 1), **kwargs}
    with torch.random.fork_rng():
        torch.manual_seed(axis)
        return build_network("SliceBySlice", {"network": "UNet", "kwargs": settings, "slice_axis": axis, "context": context}).eval()


@pytest.fixture
def images():
    return torch.randn((2, 2, 8, 12, 16), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_slice_is_answered_by_itself(axis, images):
    network = sliced(axis)
    with torch.inference_mode():
        answer = network(images)
        alone = torch.stack([network.network(part) for part in images.unbind(axis + 2)], axis + 2)
    torch.testing.assert_close(answer, alone)


def test_neighbours_are_channels_and_the_border_is_repeated(images):
    """By channel, then from the slice before to the one after."""
    network = sliced(2, context=1)
    near = [0, 0, 1], [4, 5, 6], [14, 15, 15]
    with torch.inference_mode():
        answer = network(images)
        for at in near:
            channels = torch.stack([images[:, channel, :, :, n] for channel in (0, 1) for n in at], 1)
            place = 0 if at[0] == at[1] else at[1]
            torch.testing.assert_close(answer[..., place], network.network(channels))


@pytest.mark.parametrize("context", [0, 1])
def test_the_network_inside_serves_a_model_of_slices(context, tiny_spec):
    """The same weights answer the same, whether a window is one slice with its neighbours or the whole stack of them."""
    network = sliced(2, context)
    image = torch.randn((2, 8, 12, 16), generator=torch.Generator().manual_seed(1))
    spec = small_spec(tiny_spec, "UNet", {})
    of_slices = NetworkSpec("UNet", {}), WindowSpec((8, 12, 1), slice_context=context)
    with torch.inference_mode():
        stacked = network(image[None])[0]
    found = infer_logits(network.network, image, replace(spec, network=of_slices[0], window=of_slices[1]))
    torch.testing.assert_close(found, stacked, atol=1e-5, rtol=1e-5)


def test_heads_come_back_as_volumes():
    kwargs = {"spatial_dims": 2, "in_channels": 1, "out_channels": 3, "channels": [4, 6, 8], "strides": [2, 2], "deep_supervision": True}
    network = build_network("SliceBySlice", {"network": "SeparableUNet", "kwargs": kwargs, "slice_axis": 0})
    images = torch.randn(2, 1, 6, 8, 8)
    heads = network.train()(images)
    assert heads.shape == (2, 2, 3, 6, 8, 8)
    torch.testing.assert_close(heads[1, :, :, 4], network.network(images[1, :, 4][None])[0])
    assert network.eval()(images).shape == (2, 3, 6, 8, 8)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"slice_axis": 3}, "slice_axis is 3"),
        ({"context": -1}, "context -1"),
        ({"kwargs": {**UNET, "in_channels": 2, "spatial_dims": 3}}, "not set up for slices"),
        ({"network": "UNet2"}, "There is no network named 'UNet2'"),
    ],
)
def test_what_cannot_be_is_refused(settings, said):
    whole = {"network": "UNet", "kwargs": {**UNET, "in_channels": 2}, "slice_axis": 2, **settings}
    with pytest.raises(ModelError, match=said):
        build_network("SliceBySlice", whole)
