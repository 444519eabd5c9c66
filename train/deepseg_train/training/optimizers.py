"""Which weights change, how fast, and what holds them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import nn

from deepseg_train.errors import ConfigError

_WEIGHING = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class OptimizerSettings:
    """The section `optimizer` of a config.

    Attributes:
        name: 'adamw' (Loshchilov and Hutter 2019) or 'sgd' (with Nesterov's momentum, as nnU-Net).
        weight_decay: AdamW's decoupled decay, or L2 with SGD; of convolutions' and linear layers' weights, not of biases and normalisations.
        l1: weight of the sum of the absolute weights in the loss.
        momentum: SGD's.
        rates: pattern of parameters' names -> factor on their learning rate, as in {'input_block.*': 0.1}; the first that fits counts.
        freeze: patterns of parameters' names that stay as they are; frozen normalisations also keep their statistics.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 0.001
    weight_decay: float = 0.0001
    l1: float = 0.0
    momentum: float = 0.99
    rates: dict[str, float] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ConfigError(f"learning_rate is {self.learning_rate}; expected a number above 0.")
        for key in ("weight_decay", "l1", "momentum"):
            if getattr(self, key) < 0:
                raise ConfigError(f"{key} is {getattr(self, key)}; expected at least 0.")
        if min(self.rates.values(), default=1) <= 0:
            raise ConfigError(f"rates are {self.rates}; expected factors above 0. What shall not change at all is named under freeze.")


def optimizer_of(network: nn.Module, settings: OptimizerSettings, of_loss: Sequence[nn.Parameter] = ()) -> torch.optim.Optimizer:
    """The optimiser of a network's parameters that are not frozen, grouped by rate and by decay.

    Args:
        of_loss: what the loss itself learns; never held back by decay.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    held_back = _decaying(network)
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            factor = next((rate for pattern, rate in settings.rates.items() if fnmatchcase(name, pattern)), 1.0)
            groups.setdefault((factor, parameter in held_back), []).append(parameter)
    made: list[dict[str, Any]] = [
        {"params": parameters, "lr": settings.learning_rate * factor, "weight_decay": settings.weight_decay if decays else 0.0}
        for (factor, decays), parameters in groups.items()
    ]
    if of_loss:
        made.append({"params": list(of_loss), "lr": settings.learning_rate, "weight_decay": 0.0})
    if settings.name == "sgd":
        return torch.optim.SGD(made, settings.learning_rate, momentum=settings.momentum, nesterov=settings.momentum > 0)
    return torch.optim.AdamW(made, settings.learning_rate)


def check_patterns(network: nn.Module, settings: OptimizerSettings) -> None:
    """Refuse a pattern that fits no parameter: a typing error would train what was to be kept.

    Raises:
        ConfigError: names the pattern and some names that exist.
    """
    names = [name for name, _ in network.named_parameters()]
    for key, patterns in (("freeze", settings.freeze), ("rates", settings.rates)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ConfigError(f"optimizer.{key} has the pattern '{pattern}', which fits no parameter; there are {', '.join(names[:3])}, ...")
    if settings.freeze and all(any(fnmatchcase(name, pattern) for pattern in settings.freeze) for name in names):
        raise ConfigError(f"optimizer.freeze ({', '.join(settings.freeze)}) freezes every parameter; nothing is left to train.")


def freeze(network: nn.Module, settings: OptimizerSettings) -> list[nn.Module]:
    """Stop the gradients of frozen parameters; returns the modules to be kept in evaluation mode.

    These have parameters or statistics of their own and lie in a module all of whose parameters are frozen, such as a normalisation without
    parameters after a frozen convolution. Dropout layers are not among them.
    """
    for name, parameter in network.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in settings.freeze):
            parameter.requires_grad_(False)
    frozen = {part for module in network.modules() if _is_frozen(module) for part in module.modules()}
    return [module for module in network.modules() if module in frozen and _has_own_tensors(module)]


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def _has_own_tensors(module: nn.Module) -> bool:
    return any(True for of in (module.parameters, module.buffers) for _ in of(recurse=False))


def l1_of(network: nn.Module) -> torch.Tensor:
    """Sum of the absolute weights that decay would hold back, too."""
    return torch.stack([p.abs().sum() for p in _decaying(network) if p.requires_grad]).sum()


def _decaying(network: nn.Module) -> dict[nn.Parameter, None]:
    """Weights of convolutions and linear layers; biases, normalisations and tables of positions say where zero is, and are not pulled there."""
    found = {}
    for module in network.modules():
        if isinstance(module, _WEIGHING):
            found[module.weight] = None
        elif isinstance(module, nn.MultiheadAttention):
            found |= {p: None for p in (module.in_proj_weight, module.q_proj_weight, module.k_proj_weight, module.v_proj_weight) if p is not None}
    return found
