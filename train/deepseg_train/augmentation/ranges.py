"""Checks of the numbers in the settings of random changes."""

from __future__ import annotations

import math
from typing import Any

from deepseg_train.errors import ConfigError


def need_share(settings: Any, *names: str) -> None:
    """Refuse a probability or a share that is not from 0 to 1.

    Raises:
        ConfigError: names the field and its value.
    """
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} is {value}; expected a number from 0 to 1.")


def need_range(settings: Any, name: str, lowest: float, highest: float = math.inf) -> None:
    """Refuse a pair that does not rise, or leaves the numbers from `lowest` to `highest`.

    Raises:
        ConfigError: names the field and its value.
    """
    low, high = getattr(settings, name)
    if not lowest <= low <= high <= highest:
        within = f"both at least {lowest}" if highest == math.inf else f"both from {lowest} to {highest}"
        raise ConfigError(f"{name} is [{low}, {high}]; expected the lower number first, {within}.")


def need_at_least(settings: Any, lowest: float, *names: str) -> None:
    """Refuse a number below `lowest`.

    Raises:
        ConfigError: names the field and its value.
    """
    for name in names:
        value = getattr(settings, name)
        if not value >= lowest:
            raise ConfigError(f"{name} is {value}; expected at least {lowest}.")
