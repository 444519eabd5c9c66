"""DeepSeg's networks against nnU-Net's own: names of the weights and answers."""

import pytest
import torch
from torch import nn

from deepseg.errors import ModelError
from deepseg.networks import build_network, load_stored, stored_names

unet = pytest.importorskip("dynamic_network_architectures.architectures.unet", reason="needs nnU-Net: Testing/requirements-nnunet.txt")
THEIRS = {name: getattr(unet, name) for name in ("PlainConvUNet", "ResidualEncoderUNet")}
LAYER_SETTINGS = ("conv_op", "norm_op", "dropout_op", "nonlin")


def settings(name, dimensions, **changes):
    """As nnU-Net plans them, with few channels; layers by name."""
    counts = {"n_conv_per_stage": [2, 1, 2, 2]} if name == "PlainConvUNet" else {"n_blocks_per_stage": [1, 2, 3, 1]}
    return {
        "input_channels": 2,
        "num_classes": 3,
        "n_stages": 4,
        "features_per_stage": [4, 6, 8, 8],
        "conv_op": f"Conv{dimensions}d",
        "kernel_sizes": [[1, 3, 3][-dimensions:], *[[3] * dimensions] * 3],
        "strides": [[1] * dimensions, [1, 2, 2][-dimensions:], [2] * dimensions, [2, 1, 2][-dimensions:]],
        **counts,
        "n_conv_per_stage_decoder": [2, 1, 2],
        "conv_bias": True,
        "norm_op": f"InstanceNorm{dimensions}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
        **changes,
    }


def theirs(name, kwargs):
    """nnU-Net's own network, every weight and every running figure random."""
    torch.manual_seed(3)
    network = THEIRS[name](**{key: getattr(nn, value) if key in LAYER_SETTINGS and value else value for key, value in kwargs.items()})
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point():
            tensor.data = torch.rand_like(tensor) - 0.3 * (tensor.ndim > 1)
    return network.eval()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *[(name, {}) for name in THEIRS],
        *[(name, {"conv_bias": False, "norm_op": "BatchNorm", "nonlin": "ReLU", "nonlin_kwargs": None}) for name in THEIRS],
        *[
            (name, {"dropout_op": "Dropout", "dropout_op_kwargs": {"p": 0.2}, "norm_op_kwargs": None, "nonlin": "PReLU", "nonlin_kwargs": None})
            for name in THEIRS
        ],
        *[(name, {"norm_op": None, "norm_op_kwargs": None}) for name in THEIRS],
        *[(name, {"features_per_stage": 5, "kernel_sizes": 3, "strides": [1, 2, 2, 2], "n_conv_per_stage_decoder": 1}) for name in THEIRS],
        ("PlainConvUNet", {"nonlin_first": True}),
        (
            "PlainConvUNet",
            {
                "n_stages": 2,
                **dict.fromkeys(("features_per_stage", "kernel_sizes", "n_conv_per_stage"), 3),
                "strides": [1, 2],
                "n_conv_per_stage_decoder": 2,
            },
        ),
        ("ResidualEncoderUNet", {"stem_channels": 7}),
        ("ResidualEncoderUNet", {"n_blocks_per_stage": 2}),
    ],
    ids=str,
)
def test_weights_have_nnunets_names_and_give_its_answers(name, dimensions, changes):
    changes = {key: f"{value}{dimensions}d" if value in ("BatchNorm", "Dropout") else value for key, value in changes.items()}
    kwargs = settings(name, dimensions, **changes)
    reference, network = theirs(name, kwargs), build_network(name, kwargs).eval()
    assert set(network.state_dict()) == stored_names(reference)
    load_stored(network, {key: value for key, value in reference.state_dict().items() if key in stored_names(reference)})
    images = torch.randn(2, 2, *(16,) * dimensions, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, answer = reference(images.clone()), network(images.clone())
    assert expected.shape == (2, 3, *(16,) * dimensions)
    assert expected.std() > 1e-3
    torch.testing.assert_close(answer, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_no_weight_is_registered_twice():
    for name in THEIRS:
        network = build_network(name, settings(name, 3))
        assert set(network.state_dict()) == stored_names(network)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"conv_op": "Linear"}, "Linear"),
        ({"norm_op": "os.system"}, "os.system"),
        ({"nonlin": "Conv4d"}, "Conv4d"),
        ({"strides": [1, 2]}, "2 entries for 4 stages"),
        ({"surprise": 1}, "surprise"),
        ({"n_conv_per_stage_decoder": [1, 1]}, "2 entries for 3 stages"),
    ],
    ids=str,
)
def test_settings_that_fit_no_network_are_refused(changes, reason):
    for name in THEIRS:
        with pytest.raises(ModelError, match=rf"settings for the network {name} do not fit it: .*{reason}"):
            build_network(name, settings(name, 3, **changes))
