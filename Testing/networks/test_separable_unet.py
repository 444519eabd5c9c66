"""The light network is light: what it computes with, how much, and what else it offers."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from deepseg.errors import ModelError
from deepseg.networks import build_network
from deepseg.networks.presets import default_kwargs
from small_networks import small_kwargs

HIPPOCAMPUS = {"channels": 1, "labels": 3, "window": (40, 56, 40), "spacing": (1.0, 1.0, 1.0)}


def operations(name: str) -> int:
    with torch.device("meta"):
        network = build_network(name, default_kwargs(name, **HIPPOCAMPUS)).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        network(torch.empty((1, 1, *HIPPOCAMPUS["window"]), device="meta"))
    return counted.get_total_flops()


def test_convolutions_wider_than_a_voxel_see_one_channel_each():
    """But for the stem, which sees the image."""
    network = build_network("SeparableUNet", small_kwargs("SeparableUNet"))
    for key, part in network.named_modules():
        if isinstance(part, nn.Conv3d) and part.kernel_size != (1, 1, 1) and not key.startswith("stem"):
            assert part.groups == part.in_channels == part.out_channels, key


def test_a_pass_takes_a_twentieth_of_the_operations_of_a_dynunet():
    assert operations("SeparableUNet") * 20 < operations("DynUNet")


def test_a_separable_convolution_is_the_two_by_hand():
    block = build_network("SeparableUNet", small_kwargs("SeparableUNet", norm=["GROUP", {"num_groups": 2}], act="RELU")).decoder[0]
    values = torch.randn((1, 6, 4, 5, 6), generator=torch.Generator().manual_seed(2))
    each = torch.cat([nn.functional.conv3d(values[:, n : n + 1], block.depthwise.weight[n : n + 1], padding=1) for n in range(6)], 1)
    across = torch.einsum("oc,ncijk->noijk", block.pointwise.weight[:, :, 0, 0, 0], each)
    expected = values + nn.functional.group_norm(across, 2, block.norm.weight, block.norm.bias).relu()
    torch.testing.assert_close(block(values), expected)


def test_heads_and_the_noise_of_the_logits():
    network = build_network("SeparableUNet", small_kwargs("SeparableUNet", heteroscedastic=True)).train()
    images = torch.randn((1, 2, 16, 16, 16), generator=torch.Generator().manual_seed(4))
    answer = network(images)
    assert answer.shape == (1, 3, 3, 16, 16, 16)  # the answer, one coarser head, the noise
    heard = []
    with_hook = network.spread_block.register_forward_hook(lambda module, inputs, output: heard.append(output))
    network(images)
    with_hook.remove()
    torch.testing.assert_close(answer[:, -1], heard[0])
    assert network.eval()(images).shape == (1, 3, 16, 16, 16)


def test_stages_and_strides_must_fit():
    with pytest.raises(ModelError, match="3 stages and 3 strides"):
        build_network("SeparableUNet", small_kwargs("SeparableUNet", strides=[2, 2, 2]))
