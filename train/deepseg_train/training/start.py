"""Going on with a model that was trained before."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from deepseg.api import load_model
from deepseg.errors import ModelError
from deepseg_train.errors import ConfigError

_LEAST_SHARE = 0.5
_TOLD = 3


def start_from(network: nn.Module, model: str) -> None:
    """Give a network the weights of a model's first member, as far as names and shapes agree.

    Raises:
        ConfigError: there is no such model, or fewer than half of the network's parameters, counted by their numbers, would come from it.
    """
    try:
        given = load_model(model).build_network().state_dict()
    except ModelError as error:
        raise ConfigError(f"The training cannot start from the model {model}: {error}") from error
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in given.items() if name in own and own[name].shape == tensor.shape}
    share = _share_of(network, fitting)
    if share < _LEAST_SHARE:
        raise ConfigError(
            f"Of the network's parameters {share:.0%} would come from the model {model}; expected at least {_LEAST_SHARE:.0%}. "
            f"{_differences(own, given)} Give model.network the settings of that model, or name another model under start_from."
        )
    network.load_state_dict(fitting, strict=False)
    others = [name for name in own if name not in fitting]
    rest = f"; at random start {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}" if others else ""
    print(f"Starting from {model}: {len(fitting)} of {len(own)} tensors are its own{rest}.", flush=True)


def _share_of(network: nn.Module, fitting: Mapping[str, torch.Tensor]) -> float:
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    return sum(size for name, size in sizes.items() if name in fitting) / sum(sizes.values())


def _differences(own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> str:
    """The tensors that both have in other shapes; where these are none, what either calls its own."""
    shapes = [
        f"{name} is {tuple(given[name].shape)} there and {tuple(own[name].shape)} here"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    if shapes:
        return f"{'; '.join(shapes[:_TOLD])}{'; ...' if len(shapes) > _TOLD else ''}."
    return f"No shape differs, but names do: {', '.join(list(given)[:_TOLD])}, ... there and {', '.join(list(own)[:_TOLD])}, ... here."
