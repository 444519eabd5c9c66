"""Norms, activations and dropout by their names in JSON: what is asked for is what is in the network, and it works."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError, UncertaintyError
from deepseg.fast_network import optimise
from deepseg.networks import NETWORKS, build_network, stored_names
from deepseg.uncertainty.sampled_network import SampledNetwork
from deepseg.uncertainty.samplers.monte_carlo_dropout import DROPOUT, MonteCarloDropout
from deepseg.uncertainty.samplers.passes import Pass
from deepseg.window_network import WindowNetwork
from small_networks import a_task, cross_entropy, small_kwargs, small_spec, window_of

NORMS = {
    "instance": (["INSTANCE", {"affine": True}], nn.InstanceNorm3d),
    "group": (["GROUP", {"num_groups": 2}], nn.GroupNorm),
    "batch": ("BATCH", nn.BatchNorm3d),
}
ACTIVATIONS = {
    "relu": (["RELU", {"inplace": True}], nn.ReLU),
    "leaky": (["LEAKYRELU", {"negative_slope": 0.01, "inplace": True}], nn.LeakyReLU),
    "elu": (["ELU", {"inplace": True}], nn.ELU),
    "prelu": ("PRELU", nn.PReLU),
}
KEYS = {"DynUNet": ("norm_name", "act_name"), "SeparableUNet": ("norm", "act"), "UNet": ("norm", "act"), "SegResNet": ("norm", "act")}
WITH_DROPOUT = {
    "AttentionUnet": {"dropout": 0.3},
    "BasicUNet": {"dropout": 0.3},
    "BasicUNetPlusPlus": {"dropout": 0.3},
    "ChannelDropoutDynUNet": {"dropout": 0.3},
    "DynUNet": {"dropout": 0.3},
    "FlexibleUNet": {"dropout": 0.3},
    "HeteroscedasticDynUNet": {"dropout": 0.3},
    "HighResNet": {"dropout_prob": 0.3},
    "PlainConvUNet": {"dropout_op": "Dropout3d", "dropout_op_kwargs": {"p": 0.3}},
    "ResidualEncoderUNet": {"dropout_op": "Dropout3d", "dropout_op_kwargs": {"p": 0.3}},
    "SegResNet": {"dropout_prob": 0.3},
    "SeparableUNet": {"dropout": 0.3},
    "SliceBySlice": {"kwargs": {"filters": [4, 6, 8], "dropout": 0.3}},
    "SwinUNETR": {"drop_rate": 0.3},
    "UNETR": {"dropout_rate": 0.3},
    "UNet": {"dropout": 0.3},
    "VNet": {},
}
WITHOUT_DROPOUT = {"DiNTS", "MedNeXt", "SegResNetDS"}
"""MONAI's have none."""


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", KEYS)
def test_each_norm_goes_with_each_activation(name, norm, activation):
    (norm_setting, norm_layer), (act_setting, act_layer) = NORMS[norm], ACTIVATIONS[activation]
    # With residual units MONAI's UNet normalises its three logits, which no two groups share evenly.
    units = {"num_res_units": 0} if name == "UNet" else {}
    network = build_network(name, small_kwargs(name, **units, **dict(zip(KEYS[name], (norm_setting, act_setting), strict=True))))
    parts = list(network.modules())
    for layers, wanted in ((NORMS, norm_layer), (ACTIVATIONS, act_layer)):
        found = {type(part) for part in parts} & {layer for _, layer in layers.values()}
        assert found == {wanted}
    task = a_task((16, 16, 16))
    loss = cross_entropy(network.train(), *task)
    loss.backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in network.parameters())
    with torch.inference_mode():
        assert torch.isfinite(network.eval()(task[0])).all()


def test_an_unknown_norm_is_refused():
    with pytest.raises(ModelError, match="network SeparableUNet do not fit it"):
        build_network("SeparableUNet", small_kwargs("SeparableUNet", norm="INSTANT"))


@pytest.mark.parametrize("name", ["DynUNet", "SeparableUNet"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8], ids=["float16", "bfloat16", "int8"])
def test_running_statistics_of_batch_norms_are_stored(name, dtype, tiny_spec, tmp_path):
    """They are what evaluation computes with; the number of batches is a whole number, which half precision would round."""
    kwargs = small_kwargs(name, **{KEYS[name][0]: "BATCH"})
    network = build_network(name, kwargs).train()
    images, _ = a_task(window_of(name))
    with torch.no_grad():
        for _ in range(3):
            network(5 * images + 2)
        for key, buffer in network.named_buffers():
            if key.endswith("num_batches_tracked"):
                buffer.fill_(2049)  # float16 has no such number
    spec = small_spec(tiny_spec, name, kwargs)
    bundle = ModelBundle.save(tmp_path / "model", spec, {"model.safetensors": network.state_dict()}, "# Batch\n", "CC0\n", dtype=dtype)
    read, mine = bundle.build_network().state_dict(), network.state_dict()
    statistics = [key for key in stored_names(network) if "running_" in key]
    assert statistics
    for key in statistics:
        torch.testing.assert_close(read[key], mine[key], rtol=1e-2, atol=1e-3)
    counts = [key for key in stored_names(network) if key.endswith("num_batches_tracked")]
    assert {int(read[key]) for key in counts} == {2049}


@pytest.mark.parametrize("name", sorted(WITH_DROPOUT))
def test_dropout_gives_samples_that_a_seed_gives_again(name, tiny_spec):
    kwargs = small_kwargs(name, **WITH_DROPOUT[name])
    network = optimise(build_network(name, kwargs), "float32")
    spec = small_spec(tiny_spec, name, kwargs)
    MonteCarloDropout().refuse_unfit(spec, network, 2)
    images, _ = a_task(window_of(name))
    members = WindowNetwork([network], spec, "float32")
    with torch.inference_mode():
        first, again, other = (SampledNetwork(members, Pass(dropout_seed=seed))(images[:1]) for seed in (1, 1, 2))
        plain = members(images[:1])
    assert not any(part.training for part in network.modules())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, plain)


@pytest.mark.parametrize("name", sorted(WITHOUT_DROPOUT))
def test_a_network_without_dropout_is_refused_by_its_sampler(name, tiny_spec):
    kwargs = small_kwargs(name)
    with pytest.raises(UncertaintyError, match="trained without dropout"):
        MonteCarloDropout().refuse_unfit(small_spec(tiny_spec, name, kwargs), build_network(name, kwargs), 2)


def test_each_network_is_known_to_have_dropout_or_not():
    assert set(WITH_DROPOUT) | WITHOUT_DROPOUT == set(NETWORKS)


@pytest.mark.parametrize(
    ("name", "where"),
    [("SeparableUNet", {"encoder.0.1", "bottleneck.1", "decoder.0"}), ("ChannelDropoutDynUNet", {"downsamples.0", "bottleneck", "upsamples.0"})],
)
def test_whole_channels_are_dropped_around_the_bottleneck(name, where):
    network = build_network(name, small_kwargs(name, dropout=0.5))
    layers = {key.rpartition(".")[0]: part for key, part in network.named_modules() if isinstance(part, DROPOUT)}
    assert {type(part) for part in layers.values()} == {nn.Dropout3d}
    assert set(layers) == where


def test_channel_dropout_keeps_the_names_the_answers_and_the_copies_of_a_dynunet():
    kwargs = small_kwargs("DynUNet")
    plain, dropping = build_network("DynUNet", kwargs), build_network("ChannelDropoutDynUNet", {**kwargs, "dropout": 0.5})
    assert stored_names(plain) == stored_names(dropping)
    dropping.load_state_dict(plain.state_dict())
    copied = copy.deepcopy(dropping).eval()
    images, _ = a_task((16, 16, 16))
    with torch.inference_mode():
        served = plain.eval()(images)
        torch.testing.assert_close(dropping.eval()(images), served)
        assert not torch.allclose(dropping.train()(images)[:, 0], served)
        # A copy in evaluation mode does not look at the dropout of what it was copied from.
        torch.testing.assert_close(copied(images), served)
