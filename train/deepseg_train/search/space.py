"""The ranges of a search: a YAML file that maps places of a config to the values that are tried there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import optuna
import yaml

from deepseg.errors import ModelError
from deepseg.networks import build_network
from deepseg_train.config import parse_config
from deepseg_train.config.checking import build, check_keys
from deepseg_train.config.reading import with_values
from deepseg_train.errors import ConfigError

_DRAWS = 20


@dataclass(frozen=True)
class Numbers:
    """Numbers from `low` to `high`, both among them; whole ones where nothing given has a point.

    Attributes:
        step: between the numbers; None for all of them.
        log: as many numbers between 0.001 and 0.01 as between 0.01 and 0.1.
    """

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ConfigError(f"low is {self.low} and high is {self.high}; expected a low below high.")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ConfigError(f"low is {self.low} and step is {self.step}; with log, low must be above 0 and there is no step.")
        if self.step is not None and (self.step <= 0 or self._steps.denominator != 1):
            raise ConfigError(f"step is {self.step}; expected one that leads from {self.low} to {self.high}.")

    @property
    def whole(self) -> bool:
        return all(isinstance(number, int) for number in (self.low, self.high, self.step) if number is not None)

    @property
    def _steps(self) -> Fraction:
        # By way of text: 0.1 is no tenth in binary.
        return (Fraction(str(self.high)) - Fraction(str(self.low))) / Fraction(str(self.step))

    def suggest(self, trial: optuna.Trial, place: str) -> int | float:
        """The number that a trial tries."""
        if self.whole:
            return self.value_of(trial.suggest_int(place, self.low, self.high, step=self.step or 1, log=self.log))
        return self.value_of(trial.suggest_float(place, self.low, self.high, step=self.step, log=self.log))

    def value_of(self, drawn: int | float) -> int | float:
        """What is set where Optuna drew this: six digits of it."""
        return drawn if self.whole else float(f"{drawn:.6g}")

    def points(self) -> list[int | float]:
        """All of them, for a grid.

        Raises:
            ConfigError: the range is continuous.
        """
        if self.whole and not self.log:
            return list(range(self.low, self.high + 1, self.step or 1))
        if self.step is None:
            raise ConfigError("a grid needs a step or choices; the samplers tpe and random need none.")
        return [float(Fraction(str(self.low)) + n * Fraction(str(self.step))) for n in range(int(self._steps) + 1)]


@dataclass(frozen=True)
class Choices:
    """Single values of any kind, lists and mappings among them; a mapping is merged into what the config says there."""

    choices: tuple[Any, ...]

    def __post_init__(self) -> None:
        points = self.points()
        if len(points) < 2 or any(point in points[:n] for n, point in enumerate(points)):
            raise ConfigError(f"choices are {list(self.choices)}; expected at least two, no two of them the same.")

    def suggest(self, trial: optuna.Trial, place: str) -> Any:
        """The value that a trial tries."""
        return self.value_of(trial.suggest_categorical(place, self.points()))

    def value_of(self, drawn: bool | int | float | str | None) -> Any:
        """What is set where Optuna drew this."""
        return self.choices[self.points().index(drawn)]

    def points(self) -> list[bool | int | float | str | None]:
        """The choices as Optuna's storages keep them: lists and mappings as text."""
        return [json.dumps(value) if isinstance(value, list | dict) else value for value in self.choices]


Range = Numbers | Choices


def read_space(path: Path) -> dict[str, Range]:
    """The ranges of a file by their place, as in {'optimizer.learning_rate': Numbers(1e-4, 1e-2, log=True)}.

    Raises:
        ConfigError: not readable, or a range does not say what it must.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"The search space {path} cannot be read: {error}") from error
    if not isinstance(raw, dict) or not raw:
        raise ConfigError(f"{path} must map places to ranges, as in optimizer.learning_rate: {{low: 0.0001, high: 0.01, log: true}}.")
    return {str(place): _range(section, f"{path}: {place}") for place, section in raw.items()}


def _range(section: Any, where: str) -> Range:
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where} is {section!r}; expected {{low: ..., high: ...}} or {{choices: [...]}}.")
    check_keys(section, ("low", "high", "step", "log", "choices"), where)
    return build(Choices if "choices" in section else Numbers, section, where)


def suggested(ranges: Mapping[str, Range], trial: optuna.Trial) -> dict[str, Any]:
    """What a trial sets, by place."""
    return {place: span.suggest(trial, place) for place, span in ranges.items()}


def check_space(ranges: Mapping[str, Range], config: Mapping[str, Any], path: Path) -> None:
    """Refuse a search none of whose trials could begin.

    Some combinations may make no sense; but where not one of twenty is a config whose network can be built, a place or a range is wrong.

    Args:
        config: as it was read from `path`.

    Raises:
        ConfigError: what is wrong with the first one.
    """
    for place in ranges:
        _check_road(place, config)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    first = None
    for _ in range(_DRAWS):
        values = suggested(ranges, study.ask())
        try:
            spec = parse_config(with_values(config, values), path).spec
            build_network(spec.network.name, spec.network.kwargs)
        except (ConfigError, ModelError) as error:
            first = first or ConfigError(f"The search would set {format_values(values)}. {error}")
        else:
            return
    raise first


def _check_road(place: str, config: Any) -> None:
    *road, _ = place.split(".")
    for n, key in enumerate(road):
        config = config.get(key, {}) if isinstance(config, Mapping) else config
        if config is not None and not isinstance(config, Mapping):
            raise ConfigError(f"The search cannot set {place}: {'.'.join(road[: n + 1])} is {config!r}, no mapping. Give choices of the whole.")


def format_values(values: Mapping[str, Any]) -> str:
    """Values by place, in one line."""
    return ", ".join(f"{place} {value if isinstance(value, str) else json.dumps(value)}" for place, value in values.items())
