"""Weights that a training starts with are those of another model, as far as these fit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deepseg import api
from deepseg.networks import build_network
from deepseg.spec import NetworkSpec
from deepseg_train.config import load_config
from deepseg_train.errors import ConfigError
from deepseg_train.training.start import start_from
from monai_bundles import NETWORK, write_bundle
from nnunet_folders import write_folder
from small_networks import SMALL_DYNUNET

from ..conftest import SHIPPED_CONFIG


def taken(network, model) -> set[str]:
    """The parameters that have the values of a model after starting from it, in a network that had others."""
    given, names = api.load_model(model).build_network().state_dict(), {name for name, _ in network.named_parameters()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(7.0)
    start_from(network, str(model))
    own = network.state_dict()
    assert all((own[name] == 7).all() for name in names if not (name in given and torch.equal(own[name], given[name])))
    return {name for name in names if name in given and own[name].shape == given[name].shape and torch.equal(own[name], given[name])}


def names_of(network) -> set[str]:
    return {name for name, _ in network.named_parameters()}


@pytest.fixture(scope="module")
def two_labels(small_config, tmp_path_factory) -> Path:
    """A small DynUNet."""
    spec = replace(load_config(small_config).spec, network=NetworkSpec("DynUNet", SMALL_DYNUNET))
    folder = tmp_path_factory.mktemp("models") / "two-labels"
    api.ModelBundle.save(folder, spec, {"model.safetensors": build_network("DynUNet", SMALL_DYNUNET).state_dict()}, "card", "licence")
    return folder


def test_a_model_with_another_number_of_classes_gives_all_but_its_last_layer(two_labels, capsys):
    network = build_network("DynUNet", {**SMALL_DYNUNET, "out_channels": 6})
    assert names_of(network) - taken(network, two_labels) == {"output_block.conv.conv.weight", "output_block.conv.conv.bias"}
    assert "64 of 66 tensors are its own; at random start output_block.conv.conv.weight, output_block.conv.conv.bias." in capsys.readouterr().out


def test_an_imported_bundle_of_monai_gives_all_its_weights(tmp_path):
    api.import_monai(write_bundle(tmp_path / "theirs"), tmp_path / "model")
    network = build_network("UNet", NETWORK)
    assert taken(network, tmp_path / "model") == names_of(network)


def test_an_imported_model_of_nnunet_gives_all_but_its_last_layer_to_one_with_more_classes(tmp_path):
    bundle = api.import_nnunet(write_folder(tmp_path / "theirs"), tmp_path / "model")
    kwargs = {**bundle.spec.network.kwargs, "num_classes": 5}
    network = build_network(bundle.spec.network.name, kwargs)
    left = names_of(network) - taken(network, tmp_path / "model")
    assert left and all("seg_layers" in name for name in left)


def test_a_model_of_another_size_is_refused_with_the_shapes_that_differ(two_labels):
    """Its biases and normalisations with as many channels would fit."""
    network = build_network("DynUNet", {**SMALL_DYNUNET, "filters": [4, 8, 12]})
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ConfigError, match=r"parameters \d+% would come from the model .*; expected at least 50%\. ") as refused:
        start_from(network, str(two_labels))
    assert "downsamples.0.conv1.conv.weight is (6, 4, 3, 3, 3) there and (8, 4, 3, 3, 3) here; " in str(refused.value)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_model_of_another_kind_is_refused_with_the_names_of_both():
    network = build_network("BasicUNet", {"in_channels": 1, "out_channels": 2, "features": [4, 4, 8, 8, 8, 4]})
    with pytest.raises(ConfigError, match=r"0% would come from the model hippocampus-mr; .* input_block\.conv1\.conv\.weight, .* there and conv_0\."):
        start_from(network, "hippocampus-mr")
    with pytest.raises(ConfigError, match=r"cannot start from the model nowhere"):
        start_from(network, "nowhere")


def test_the_config_that_goes_on_with_the_shipped_model_fits_it():
    config = load_config(SHIPPED_CONFIG.with_name("hippocampus_noise.yaml"))
    network = build_network(config.spec.network.name, config.spec.network.kwargs)
    assert all(name.startswith("spread_block.") for name in names_of(network) - taken(network, config.start_from))
