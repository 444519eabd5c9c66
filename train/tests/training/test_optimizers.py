"""Which weights change, and how fast."""

import pytest
import torch
from monai.networks.nets import UNETR, SwinUNETR
from torch import nn

from deepseg_train.errors import ConfigError
from deepseg_train.training.optimizers import OptimizerSettings, check_patterns, freeze, l1_of, optimizer_of


def small() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential()
    network.add_module("first", nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2)))
    network.add_module("last", nn.Conv3d(2, 2, 1))
    return network


def step(network: nn.Module, settings: OptimizerSettings) -> dict[str, torch.Tensor]:
    """How far each parameter goes in one step."""
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = optimizer_of(network, settings)
    network(torch.randn(2, 1, 4, 4, 4)).square().sum().backward()
    optimizer.step()
    return {name: (p.detach() - before[name]).abs().max() for name, p in network.named_parameters()}


def test_decay_holds_back_weights_alone():
    groups = optimizer_of(small(), OptimizerSettings(weight_decay=0.5)).param_groups
    of = {group["weight_decay"]: [tuple(p.shape) for p in group["params"]] for group in groups}
    assert of == {0.5: [(2, 1, 1, 1, 1), (2, 2, 1, 1, 1)], 0.0: [(2,), (2,), (2,), (2,)]}


def test_tables_of_positions_are_not_held_back():
    """UNETR's position embeddings and SwinUNETR's relative ones have two and more dimensions, too."""
    unetr = UNETR(1, 2, (32, 32, 32), feature_size=4, hidden_size=24, mlp_dim=24, num_heads=2)
    swin = SwinUNETR(1, 2, feature_size=12)
    for network, free in ((unetr, "position_embeddings"), (swin, "relative_position_bias_table")):
        groups = optimizer_of(network, OptimizerSettings(weight_decay=0.5)).param_groups
        held = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
        large = {name for name, p in network.named_parameters() if p.ndim > 1 and id(p) not in held}
        assert large and all(name.endswith(free) for name in large)
        expected = sum(float(p.detach().abs().sum()) for p in network.parameters() if id(p) in held)
        assert float(l1_of(network).detach()) == pytest.approx(expected, rel=1e-4)


def test_attentions_of_pytorch_are_held_back():
    groups = optimizer_of(nn.MultiheadAttention(8, 2), OptimizerSettings(weight_decay=0.5)).param_groups
    assert {tuple(p.shape) for group in groups if group["weight_decay"] for p in group["params"]} == {(24, 8), (8, 8)}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_rates_make_some_weights_slower(name):
    # AdamW's first step is the learning rate, whatever the gradient.
    moved = step(small(), OptimizerSettings(name, learning_rate=0.01, weight_decay=0.0, rates={"first.0.*": 0.1}))
    if name == "adamw":
        assert moved["last.weight"] == pytest.approx(0.01, rel=1e-3)
        assert moved["first.0.weight"] == pytest.approx(0.001, rel=1e-3)
    rates = {group["lr"] for group in optimizer_of(small(), OptimizerSettings(name, learning_rate=0.01, rates={"first.0.*": 0.1})).param_groups}
    assert rates == {0.01, 0.001}


def test_frozen_weights_and_statistics_stay():
    network, settings = small(), OptimizerSettings(freeze=("first.*",))
    frozen = freeze(network, settings)
    assert [type(module) for module in frozen] == [nn.Conv3d, nn.BatchNorm3d]
    for module in frozen:
        module.eval()
    moved = step(network, settings)
    assert {name for name, distance in moved.items() if distance > 0} == {"last.weight", "last.bias"}
    assert network.first[1].running_mean.abs().max() == 0


def test_a_pattern_that_fits_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"optimizer\.freeze has the pattern 'frist\.\*', which fits no parameter; there are first\.0\.weight"):
        check_patterns(small(), OptimizerSettings(freeze=("frist.*",)))
    with pytest.raises(ConfigError, match=r"optimizer\.rates has the pattern"):
        check_patterns(small(), OptimizerSettings(rates={"x": 0.5}))
    with pytest.raises(ConfigError, match="nothing is left to train"):
        check_patterns(small(), OptimizerSettings(freeze=("*",)))


def test_frozen_normalisations_without_parameters_keep_their_statistics_too():
    network = small()
    network.first[1] = nn.BatchNorm3d(2, affine=False)
    network.first.append(nn.Dropout(0.5))
    assert freeze(network, OptimizerSettings(freeze=("first.*",))) == [network.first[0], network.first[1]]
    # One that nothing frozen is around goes on.
    network = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2, affine=False), nn.Conv3d(2, 2, 1))
    assert freeze(network, OptimizerSettings(freeze=("0.*",))) == [network[0]]


def test_a_module_whose_parts_are_trained_is_not_kept_in_evaluation_mode():
    """Such as an attention whose table of positions alone is frozen."""
    network = small()
    network.first.table = nn.Parameter(torch.zeros(2))
    assert freeze(network, OptimizerSettings(freeze=("first.table",))) == []


def test_sgd_has_nesterovs_momentum():
    """Two steps by hand: the momentum is the mean of the gradients so far, and the step looks one gradient ahead (Sutskever et al. 2013)."""
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(2.0)
    optimizer = optimizer_of(network, OptimizerSettings("sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.5))
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, True, 0.5)
    weight, momentum = 2.0, 0.0
    for _ in range(2):
        network.weight.grad = torch.full((1, 1), 3.0)
        optimizer.step()
        gradient = 3.0 + 0.5 * weight
        momentum = 0.9 * momentum + gradient
        weight -= 0.1 * (gradient + 0.9 * momentum)
        assert network.weight.item() == pytest.approx(weight, rel=1e-6)
    assert not optimizer_of(network, OptimizerSettings("sgd", momentum=0)).param_groups[0]["nesterov"]


def test_l1_is_the_sum_of_absolute_weights_without_biases():
    network = nn.Conv3d(1, 2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([-2.0, 0.5]).view(2, 1, 1, 1, 1))
        network.bias.fill_(100)
    assert l1_of(network).item() == 2.5
