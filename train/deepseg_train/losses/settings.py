"""Which loss is trained with: a config's section `loss`."""

from __future__ import annotations

import difflib
import inspect
from dataclasses import dataclass, field
from typing import Any, Literal

from deepseg_train.errors import ConfigError
from deepseg_train.losses.registry import LOSSES
from deepseg_train.losses.voxel_loss import Spacing, VoxelLoss


@dataclass(frozen=True)
class LossTerm:
    """One term of the sum.

    Attributes:
        name: one of `LOSSES`.
        weight: what it is multiplied by.
        warm_in_epochs: its weight rises linearly from 0 over so many epochs; 0: there from the first one.
        settings: the loss's own by name, for example alpha and beta of `tversky`, or class_weights (one number a channel) of
            `weighted-cross-entropy`.
    """

    name: str
    weight: float = 1.0
    warm_in_epochs: int = 0
    settings: dict[str, float | tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in LOSSES:
            raise ConfigError(f"there is no loss named '{self.name}'.{_nearest(self.name, list(LOSSES))}")
        if not self.weight > 0:
            raise ConfigError(f"weight of '{self.name}' is {self.weight}; expected more than 0.")
        if self.warm_in_epochs < 0:
            raise ConfigError(f"warm_in_epochs of '{self.name}' is {self.warm_in_epochs}; expected at least 0.")
        self.build()

    def build(self, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> VoxelLoss:
        """The loss itself, without its weight.

        Raises:
            ConfigError: it has no such setting, lacks one, or its value cannot be.
        """
        given: dict[str, Any] = dict(self.settings)
        known = {name: p for name, p in inspect.signature(LOSSES[self.name]).parameters.items() if name != "spacing_mm"}
        for name in given:
            if name not in known:
                raise ConfigError(f"the loss '{self.name}' has no setting '{name}'.{_nearest(name, list(known))}")
        for name, value in given.items():
            if known[name].annotation == "float" and not isinstance(value, (int, float)):
                raise ConfigError(f"{name} of '{self.name}' is {value}; expected a number.")
        missing = [name for name, parameter in known.items() if parameter.default is parameter.empty and name not in given]
        if missing:
            raise ConfigError(f"the loss '{self.name}' needs {', '.join(missing)}.")
        return LOSSES[self.name](**given, spacing_mm=spacing_mm)


@dataclass(frozen=True)
class LossSettings:
    """A weighted sum of losses, at every head of the network.

    Attributes:
        terms: what is summed; cross-entropy and Dice where nothing is said (Isensee et al. 2021).
        head_weights: weight of each head, finest first, brought to a sum of 1; None: each has half the weight of the one before.
        weighting: "learned": the terms are weighted by learned uncertainty too (`deepseg_train.losses.multi_task`).
    """

    terms: tuple[LossTerm, ...] = (LossTerm("cross-entropy"), LossTerm("dice"))
    head_weights: tuple[float, ...] | None = None
    weighting: Literal["fixed", "learned"] = "fixed"

    def __post_init__(self) -> None:
        names = [term.name for term in self.terms]
        if not any(term.warm_in_epochs == 0 for term in self.terms):
            raise ConfigError(f"terms are {names or 'empty'}; at least one must be there from the first epoch (warm_in_epochs: 0).")
        if len(set(names)) < len(names):
            raise ConfigError(f"terms are {', '.join(names)}; each loss can be there once.")
        weights = self.head_weights
        if weights is not None and (any(weight < 0 for weight in weights) or not sum(weights) > 0):
            raise ConfigError(f"head_weights is {weights}; expected numbers that are not negative, and one that is more than 0.")
        negative = [name for name in names if LOSSES[name].may_be_negative]
        if self.weighting == "learned" and negative:
            raise ConfigError(f"weighting is 'learned', but '{negative[0]}' may be negative, so its weight would grow without end; use 'fixed'.")


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known) or 'none'}."
