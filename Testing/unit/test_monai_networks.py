"""Every network of MONAI's that a model file may name is built from JSON types and answers logits of the image's size."""

import json

import numpy as np
import pytest
import torch

from deepseg.errors import ModelError
from deepseg.networks import NETWORKS, build_network, load_stored, stored_names
from deepseg.networks.monai_networks import MONAI_NETWORKS

ONE_TO_TWO = {"in_channels": 1, "out_channels": 2}
SMALL = {
    "AttentionUnet": {**ONE_TO_TWO, "spatial_dims": 3, "channels": [4, 8, 16], "strides": [2, 2]},
    "BasicUNet": {**ONE_TO_TWO, "features": [4, 4, 8, 8, 8, 4]},
    "BasicUNetPlusPlus": {**ONE_TO_TWO, "features": [4, 4, 8, 8, 8, 4]},
    "FlexibleUNet": {**ONE_TO_TWO, "spatial_dims": 3, "backbone": "efficientnet-b0", "decoder_channels": [16, 8, 8, 8, 4]},
    "HighResNet": ONE_TO_TWO,
    "MedNeXt": {**ONE_TO_TWO, "init_filters": 4, "kernel_size": 3},
    "SegResNet": {**ONE_TO_TWO, "init_filters": 8, "dropout_prob": 0.2},
    "SegResNetDS": {**ONE_TO_TWO, "init_filters": 8, "dsdepth": 2},
    "SwinUNETR": {**ONE_TO_TWO, "feature_size": 12},
    "UNETR": {**ONE_TO_TWO, "img_size": [32, 32, 32], "feature_size": 4, "hidden_size": 24, "mlp_dim": 32, "num_heads": 3},
    "UNet": {**ONE_TO_TWO, "spatial_dims": 3, "channels": [4, 8, 16], "strides": [2, 2], "num_res_units": 2, "dropout": 0.15},
    "VNet": ONE_TO_TWO,
}
DINTS = {
    "in_channels": 1,
    "num_classes": 2,
    "use_downsample": True,
    "node_a": np.ones((5, 3)).tolist(),
    "dints_space": {"channel_mul": 0.2, "num_blocks": 4, "num_depths": 3, "use_downsample": True, "arch_code": np.ones((2, 4, 7)).tolist()},
}


def test_each_is_registered_and_tried_here():
    assert set(SMALL) == set(MONAI_NETWORKS)
    assert set(MONAI_NETWORKS) | {"DiNTS"} <= set(NETWORKS)


@pytest.mark.parametrize(("name", "kwargs"), [*SMALL.items(), ("DiNTS", DINTS)], ids=[*SMALL, "DiNTS"])
def test_it_answers_logits_of_the_images_size(name, kwargs):
    side = 64 if name == "SwinUNETR" else 32
    network = build_network(name, json.loads(json.dumps(kwargs))).eval()
    with torch.inference_mode():
        answer = network(torch.zeros(1, 1, side, side, side))
    answer = answer[0] if isinstance(answer, (list, tuple)) else answer
    assert answer.shape == (1, 2, side, side, side)


def test_two_networks_of_the_same_settings_take_each_others_weights():
    first, second = (build_network("DiNTS", DINTS).eval() for _ in range(2))
    load_stored(second, {name: tensor for name, tensor in first.state_dict().items() if name in stored_names(first)})
    image = torch.rand(1, 1, 16, 16, 16)
    with torch.inference_mode():
        assert torch.equal(first(image), second(image))


def test_dints_prints_nothing(capsys):
    build_network("DiNTS", DINTS)
    assert capsys.readouterr().out == ""


def test_no_network_downloads_anything(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("it tried to download weights")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    monkeypatch.setattr("monai.networks.nets.efficientnet.model_zoo.load_url", refuse)
    build_network("FlexibleUNet", {**SMALL["FlexibleUNet"], "spatial_dims": 2, "pretrained": True})


def test_settings_that_do_not_fit_are_refused_in_words():
    with pytest.raises(ModelError, match=r"settings for the network SwinUNETR do not fit it: .*img_size"):
        build_network("SwinUNETR", {**SMALL["SwinUNETR"], "img_size": 96})
