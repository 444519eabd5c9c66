"""Settings that suit a window: nnU-Net's rule by hand, and refusals that name what would do."""

import json

import pytest
import torch

from deepseg.errors import ModelError
from deepseg.networks import NETWORKS, build_network
from deepseg.networks.heads import heads_of
from deepseg.networks.presets import completed_kwargs, default_kwargs
from deepseg.networks.settings import known_settings
from deepseg.networks.window_fit import plan_stages

ISOTROPIC = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_preset_is_made_of_json_types(name):
    kwargs = default_kwargs(name, channels=2, labels=3, window=(64, 64, 64), spacing=ISOTROPIC)
    assert json.loads(json.dumps(kwargs)) == kwargs


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_settings_of_a_preset_are_known_and_no_others_are_taken(name):
    kwargs = default_kwargs(name, channels=2, labels=3, window=(64, 64, 64), spacing=ISOTROPIC)
    assert set(kwargs) <= set(known_settings(name))
    with pytest.raises(ModelError, match="unheard_of"):
        build_network(name, {**kwargs, "unheard_of": 1})


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"FlexibleUNet", "MedNeXt", "SwinUNETR", "UNETR", "VNet"}))
def test_the_window_of_the_hippocampus_suits(name):
    default_kwargs(name, channels=1, labels=3, window=(40, 56, 40), spacing=ISOTROPIC)


def test_stages_of_equal_voxels_are_halved_alike():
    stages = plan_stages("U", (40, 56, 40), ISOTROPIC)
    assert stages.strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    assert stages.kernels == ((3, 3, 3),) * 4
    assert stages.factors() == (8, 8, 8)


def test_thick_slices_are_joined_only_when_the_pixels_are_as_large():
    """1 x 1 x 5 mm: 1, 2, 4 mm within slices are more than half as fine as 5 mm only at 4 mm (8 / 5 < 2)."""
    stages = plan_stages("U", (64, 64, 16), (1.0, 1.0, 5.0))
    assert stages.strides == ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2))
    assert stages.kernels == ((3, 3, 1), (3, 3, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3))


def test_an_axis_keeps_four_voxels():
    assert plan_stages("U", (64, 64, 12), ISOTROPIC).factors() == (16, 16, 2)


def test_unknown_spacing_counts_as_the_smallest_known():
    assert plan_stages("U", (64, 64, 16), (None, None, None)) == plan_stages("U", (64, 64, 16), ISOTROPIC)
    assert plan_stages("U", (64, 64, 16), (None, 1.0, 5.0)) == plan_stages("U", (64, 64, 16), (1.0, 1.0, 5.0))


def test_fewer_stages_where_a_side_cannot_be_halved_more():
    assert plan_stages("U", (44, 56, 40), ISOTROPIC).factors() == (4, 4, 4)


@pytest.mark.parametrize(
    ("name", "window", "said"),
    [
        ("DynUNet", (42, 56, 40), r"window of 42 x 56 x 40 voxels; its sides must be multiples of 4\. .* 40 x 56 x 40 and 44 x 56 x 40\."),
        ("DynUNet", (8, 8, 8), "too small to be halved twice"),
        ("SegResNet", (40, 56, 41), r"multiples of 8 .* 40 x 56 x 40 and 40 x 56 x 48\."),
        ("SwinUNETR", (40, 56, 64), r"multiples of 32 and at least 32\. .* 32 x 32 x 64 and 64 x 64 x 64\."),
        ("SwinUNETR", (32, 32, 32), r"at least 64\. .* are 64 x 64 x 64\."),
        ("UNETR", (40, 56, 40), r"multiples of 16 .* 32 x 48 x 32 and 48 x 64 x 48\."),
        ("BasicUNet", (12, 40, 40), r"at least 16\. .* are 16 x 40 x 40\."),
        ("Unet", (40, 56, 40), "There is no network named 'Unet' here; this DeepSeg builds AttentionUnet, .* Did you mean UNet"),
    ],
)
def test_a_window_that_does_not_suit_is_refused_with_the_nearest_that_do(name, window, said):
    with pytest.raises(ModelError, match=said):
        default_kwargs(name, channels=1, labels=3, window=window, spacing=ISOTROPIC)


@pytest.mark.parametrize("name", ["AttentionUnet", "DynUNet", "PlainConvUNet", "SeparableUNet", "UNet"])
def test_networks_of_thick_slices_and_of_slices_are_built(name):
    width = {"DynUNet": "filters", "PlainConvUNet": "features_per_stage"}.get(name, "channels")
    for window, spacing in (((32, 32, 8), (1.0, 1.0, 3.0)), ((32, 32), (1.0, 1.0))):
        kwargs = default_kwargs(name, channels=2, labels=3, window=window, spacing=spacing)
        kwargs[width] = [4] * len(kwargs[width])
        with torch.inference_mode():
            answer = build_network(name, kwargs).eval()(torch.zeros(1, 2, *window))
        assert heads_of(answer, len(window)).shape == (1, 1, 3, *window)


def test_given_settings_take_the_place_of_the_presets():
    asked = {"channels": 2, "labels": 3, "window": (32, 32, 16), "spacing": ISOTROPIC}
    assert completed_kwargs("SegResNet", {"dropout_prob": 0.1}, **asked) == {**default_kwargs("SegResNet", **asked), "dropout_prob": 0.1}


def test_slices_lie_across_the_thickest_voxels_and_neighbours_are_channels():
    kwargs = completed_kwargs(
        "SliceBySlice",
        {"network": "UNet", "context": 2, "kwargs": {"num_res_units": 2}},
        channels=2,
        labels=3,
        window=(32, 4, 64),
        spacing=(1.0, 4.0, 1.0),
    )
    assert {key: kwargs[key] for key in ("network", "slice_axis", "context")} == {"network": "UNet", "slice_axis": 1, "context": 2}
    inner = default_kwargs("UNet", channels=10, labels=3, window=(32, 64), spacing=(1.0, 1.0))
    assert kwargs["kwargs"] == {**inner, "num_res_units": 2}
