"""Attention rollout on small UNETR and SwinUNETR networks, against matrices multiplied out and against what must be so."""

from dataclasses import replace

import pytest
import torch

from deepseg.explanation.attention import attention_kept, flow_of
from deepseg.explanation.methods import METHODS, Asked
from deepseg.explanation.passes import Passes
from deepseg.explanation.question import Question
from deepseg.networks import build_network
from deepseg.spec import NetworkSpec, WindowSpec
from deepseg.window_network import WindowNetwork

SIZE = (64, 32, 32)
UNETR = {"in_channels": 1, "out_channels": 3, "img_size": list(SIZE), "feature_size": 4, "hidden_size": 24, "mlp_dim": 32, "num_heads": 3}
SWIN = {"in_channels": 1, "out_channels": 3, "feature_size": 12}


@pytest.fixture(params=["UNETR", "SwinUNETR"])
def asked(request, tiny_spec):
    kwargs = {"UNETR": UNETR, "SwinUNETR": SWIN}[request.param]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = build_network(request.param, kwargs).eval().requires_grad_(False)
    spec = replace(tiny_spec, network=NetworkSpec(request.param, kwargs), window=WindowSpec(SIZE))
    where = torch.zeros(SIZE)
    where[4:12, 20:30, 8:16] = 1.0
    question = Question(where / where.sum(), 3, False, 1)
    image = torch.randn((1, *SIZE), generator=torch.Generator().manual_seed(2))
    return Asked(Passes(WindowNetwork([network], spec, "float32"), question), image)


def test_nothing_gets_lost_and_nothing_is_left_behind(asked):
    network = asked.passes.network.members[0]
    before = network(asked.image[None])
    found = METHODS["attention-rollout"].attribute(asked)
    assert found.shape == SIZE and float(found.min()) >= 0
    assert float(found.sum()) == pytest.approx(1.0, rel=1e-3), "each place's weight is handed on, none is made or lost"
    assert torch.equal(network(asked.image[None]), before)
    assert not any(part._forward_hooks for part in network.modules())
    assert not any(getattr(part, "save_attn", False) for part in network.modules())


def test_weight_flows_as_the_matrices_say(asked):
    """One token's weight, by layers that are multiplied out."""
    network = asked.passes.network.members[0]
    with attention_kept(network) as kept:
        network(asked.image[None])
        back, grid = flow_of(network, kept, SIZE)
    weights = torch.zeros(grid)
    weights[(0,) * 3] = 1.0
    found = back(weights)
    if asked.passes.network.spec.network.name == "UNETR":
        whole = torch.eye(16)
        for _, matrix in kept:
            whole = (torch.eye(16) + matrix[0].mean(0)) / 2 @ whole
        torch.testing.assert_close(found.flatten(), whole[0], atol=1e-6, rtol=1e-5)
    else:
        assert found.shape == (32, 16, 16)
        assert float(found.sum()) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("asked", ["UNETR"], indirect=True)
def test_evenly_spread_attention_spreads_evenly(asked):
    """Without queries every token looks at all others alike; in SwinUNETR a position bias makes attention uneven even so."""
    network = asked.passes.network.members[0]
    for name, tensor in network.named_parameters():
        if "qkv" in name:
            tensor.data.zero_()
    with attention_kept(network) as kept:
        network(asked.image[None])
        back, grid = flow_of(network, kept, SIZE)
    weights = torch.zeros(grid)
    weights[(0,) * 3] = 1.0
    stays = 0.5 ** len(kept)
    expected = torch.full(grid, (1 - stays) / 16)
    expected[(0,) * 3] += stays
    torch.testing.assert_close(back(weights), expected, atol=1e-5, rtol=1e-4)
