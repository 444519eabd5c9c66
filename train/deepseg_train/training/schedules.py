"""How the learning rate goes over a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class ScheduleSettings:
    """The section `schedule` of a config.

    Attributes:
        name: 'cosine' (Loshchilov and Hutter 2017), 'polynomial' ((1 - done)^power, as nnU-Net), 'step' (by `factor` every `step_epochs`)
            or 'constant'.
        warmup_epochs: the rate first rises in equal steps from near 0; where it is not said, a quarter of a training of fewer than 12 epochs.
        lowest: share of the learning rate below which it never falls after the warm-up.
    """

    name: Literal["cosine", "polynomial", "step", "constant"] = "cosine"
    warmup_epochs: float = 3
    power: float = 0.9
    step_epochs: int = 30
    factor: float = 0.1
    lowest: float = 0.0

    def __post_init__(self) -> None:
        if self.warmup_epochs < 0 or self.power <= 0 or self.step_epochs < 1:
            raise ConfigError(
                f"warmup_epochs {self.warmup_epochs}, power {self.power}, step_epochs {self.step_epochs}; expected at least 0, above 0, at least 1."
            )
        if not 0 < self.factor <= 1 or not 0 <= self.lowest < 1:
            raise ConfigError(f"factor {self.factor} and lowest {self.lowest}; expected shares of the learning rate between 0 and 1.")


def rate_of(settings: ScheduleSettings, steps_per_epoch: int, epochs: int) -> Callable[[int], float]:
    """The share of the learning rate at each step of the optimiser, of `epochs` times `steps_per_epoch`."""
    warmup, total = round(settings.warmup_epochs * steps_per_epoch), epochs * steps_per_epoch
    shapes: dict[str, Callable[[int, float], float]] = {
        "cosine": lambda step, done: (1 + math.cos(math.pi * done)) / 2,
        "polynomial": lambda step, done: (1 - done) ** settings.power,
        "step": lambda step, done: settings.factor ** (step // steps_per_epoch // settings.step_epochs),
        "constant": lambda step, done: 1.0,
    }
    shape = shapes[settings.name]

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min((step - warmup) / max(total - warmup, 1), 1.0)
        return max(shape(step, done), settings.lowest)

    return rate
