"""Every registered network goes the whole road: it learns, is stored, read back, run window by window, sampled and explained."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from safetensors.torch import load_file

from deepseg import api
from deepseg.geometry import Geometry
from deepseg.golden import phantom
from deepseg.networks import NETWORKS, build_network, stored_names
from deepseg.networks.heads import heads_of
from deepseg.networks.presets import PRESETS
from deepseg.preprocessing import prepare
from deepseg.uncertainty.samplers.deep_supervision import DeepSupervision, coarser_heads
from deepseg.volume import Volume
from small_networks import a_task, cross_entropy, small_kwargs, small_spec, window_of

OUR_OWN = {"HeteroscedasticDynUNet", "PlainConvUNet", "ResidualEncoderUNet", "SeparableUNet", "SliceBySlice"}
"""Which stock MONAI cannot build."""

_LAYERS_ALONE, _RULES_ALONE, _LAYERS_AND_RULES = ("grad-cam",), ("relevance",), ("grad-cam", "relevance")
ALSO_EXPLAINED_BY = {
    **dict.fromkeys(("BasicUNet", "DynUNet", "ResidualEncoderUNet", "SegResNetDS", "SeparableUNet", "UNet"), _LAYERS_AND_RULES),
    **dict.fromkeys(("ChannelDropoutDynUNet", "HeteroscedasticDynUNet", "PlainConvUNet", "SegResNet"), _RULES_ALONE),
    "AttentionUnet": _LAYERS_ALONE,
    "MedNeXt": _LAYERS_ALONE,
    # The maps inside are those of slices.
    "SliceBySlice": _RULES_ALONE,
    "SwinUNETR": ("attention-rollout",),
    "UNETR": ("grad-cam", "attention-rollout"),
}
"""Beside by gradients, which every network has; what differs from another in training alone is not asked twice."""


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def task(name):
    """One image and its labels; the smallest maps inside have two voxels, enough for every norm."""
    return tuple(part[:1] for part in a_task(window_of(name)))


@pytest.fixture(scope="module")
def trained(name, task):
    """A network after a step, with the losses before and after and the shape of its answers in training."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = build_network(name, json.loads(json.dumps(small_kwargs(name)))).train()
    shapes = []
    listening = network.register_forward_hook(lambda module, inputs, output: shapes.append(heads_of(output).shape))
    before = cross_entropy(network, *task)
    before.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter -= 0.01 * parameter.grad
        after = cross_entropy(network, *task)
    listening.remove()
    return network, before.item(), after.item(), shapes[-1]


@pytest.fixture(scope="module")
def bundle(name, trained, tiny_spec, tmp_path_factory):
    spec = small_spec(tiny_spec, name, small_kwargs(name))
    return api.ModelBundle.save(tmp_path_factory.mktemp("models") / name, spec, {"model.safetensors": trained[0].state_dict()}, "# Small\n", "CC0\n")


@pytest.fixture(scope="module")
def read(bundle):
    """The network as it is read back."""
    return bundle.build_network()


@pytest.fixture(scope="module")
def answer(read, task):
    with torch.inference_mode():
        return read(task[0])


@pytest.fixture(scope="module")
def a_volume():
    return phantom(2)


def test_each_has_a_preset():
    assert set(PRESETS) == set(NETWORKS)


def test_a_step_lowers_the_loss(trained):
    _, before, after, _ = trained
    assert after < before


def test_each_parameter_that_is_trained_gets_a_gradient(name, trained):
    """Where one does not, training on several devices waits for it for ever."""
    network, *_ = trained
    without = [key for key, tensor in network.named_parameters() if tensor.requires_grad and tensor.grad is None]
    # The spread block's head is left out by the loss of this test.
    assert all(key.startswith("spread_block.") for key in without), without


def test_training_and_evaluation_answer_the_same_labels_and_grid(name, trained, answer):
    *_, heads = trained
    assert answer.shape == (1, 3, *window_of(name))
    assert heads == (1, heads[1], 3, *window_of(name))


def test_it_is_read_back_as_it_was(trained, read):
    """Its golden file was checked when it was saved."""
    network, *_ = trained
    mine, theirs = network.state_dict(), read.state_dict()
    for key in stored_names(network):
        assert torch.equal(theirs[key], mine[key].half().float() if mine[key].is_floating_point() else mine[key]), key


def test_it_segments_a_volume_larger_than_its_window(bundle, read):
    spec = bundle.spec
    shape = tuple(side + 6 if axis == 0 else side for axis, side in enumerate(spec.window.size))
    grid = Geometry(shape, np.diag([-3.0, -3.0, 3.0, 1.0]))
    images, _ = a_task(shape)
    found = api.segment(Volume(images[0].numpy(), grid, ("a.u.", "a.u.")), bundle, probabilities=True)
    assert found.probabilities.shape == (3, *shape)
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-3)
    # Its own windows, blended by hand in float32, agree.
    window = spec.window.size
    image = prepare(Volume(images[0].numpy(), grid, ("a.u.", "a.u.")), spec).tensor
    with torch.inference_mode():
        first, last = (read(image[None, :, at : at + window[0]])[0] for at in (0, 6))
    first, last = (heads_of(answer[None])[0, 0].softmax(0).numpy() for answer in (first, last))
    np.testing.assert_allclose(found.probabilities[:, 0], first[:, 0], atol=2e-3)
    np.testing.assert_allclose(found.probabilities[:, -1], last[:, -1], atol=2e-3)


def test_stock_monai_builds_it_from_the_bundle_and_answers_the_same_or_the_card_says_no(name, bundle, task, answer):
    config = bundle.folder / "configs/inference.json"
    assert config.exists() == (name not in OUR_OWN)
    if not config.exists():
        assert f"the network {name}, which is not one of its own" in (bundle.folder / "docs/README.md").read_text(encoding="utf-8")
        return
    parser = ConfigParser(json.loads(config.read_text(encoding="utf-8")))
    theirs = parser.get_parsed_content("network_def").eval()
    theirs.load_state_dict(load_file(bundle.weights_path("model.safetensors")), strict=False)
    with torch.inference_mode():
        found = theirs(task[0])
    if isinstance(found, (list, tuple)):
        found = found[-1]
    assert torch.equal(found, answer)


def test_coarser_heads_are_samples_where_the_network_offers_them(bundle, read, a_volume):
    if not coarser_heads(read):
        with pytest.raises(api.UncertaintyError, match="no heads of deep supervision"):
            DeepSupervision().refuse_unfit(bundle.spec, read, 0)
        return
    found = api.estimate_uncertainty(a_volume, bundle, sampler="deep-supervision")
    assert found.maps["mutual_information"].values.max() > 0


def test_it_is_explained(name, bundle, a_volume):
    place = tuple(a_volume.geometry.center_ras)
    for method in ("gradient-times-input", *ALSO_EXPLAINED_BY.get(name, ())):
        found = api.explain(a_volume, bundle, 1, place=place, method=method, checks=False)
        assert found.values.shape[-3:] == a_volume.geometry.shape
        assert np.isfinite(found.values).all()
        assert np.abs(found.values).max() > 0
