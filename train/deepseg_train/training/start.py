"""Going on with a model that was trained before."""

from __future__ import annotations

from torch import nn

from deepseg.api import load_model
from deepseg.errors import ModelError
from deepseg_train.errors import ConfigError


def start_from(network: nn.Module, model: str) -> None:
    """Give a network the weights of a model's first member, as far as names and shapes agree.

    Raises:
        ConfigError: there is no such model, or nothing of it fits.
    """
    try:
        given = load_model(model).build_network().state_dict()
    except ModelError as error:
        raise ConfigError(f"The training cannot start from the model {model}: {error}") from error
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in given.items() if name in own and own[name].shape == tensor.shape}
    if not fitting:
        raise ConfigError(f"No weight of the model {model} fits the network of the config; name a model with a network like it.")
    network.load_state_dict(fitting, strict=False)
    others = [name for name in own if name not in fitting]
    rest = f"; at random start {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}" if others else ""
    print(f"Starting from {model}: {len(fitting)} of {len(own)} tensors are its own{rest}.", flush=True)
