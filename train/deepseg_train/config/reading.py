"""Configs as they are written: YAML, with `base` and with values set from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deepseg_train.errors import ConfigError

_MODELS = ("start_from", "distillation.teacher")
"""Places in a config that name a model or its folder."""


def read_config(path: Path) -> dict[str, Any]:
    """A config as it is written; one with the key `base` is the config of that name beside it, with its own values in place of what is there.

    A model's folder may be relative to the config that names it, or else to the working directory; it becomes absolute, so that a run goes on with
    the same model wherever it is started. Names of installed models stay names.

    Raises:
        ConfigError: not readable, or its bases run in a circle.
    """
    found: dict[str, Any] = {}
    seen: list[Path] = []
    while path is not None:
        if path in seen:
            raise ConfigError(f"The config {path} is its own base.")
        seen.append(path)
        if not path.is_file():
            raise ConfigError(f"There is no config {path}.")
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"The config {path} cannot be read: {error}") from error
        if not isinstance(raw, dict):
            raise ConfigError(f"The config {path} is not a YAML mapping with the keys model and split.")
        base = raw.pop("base", None)
        raw = with_values(raw, {place: _absolute(told, path.parent) for place in _MODELS if isinstance(told := _at(raw, place), str)})
        found, path = over(raw, found), path.parent / str(base) if base is not None else None
    return found


def _at(config: Any, place: str) -> Any:
    """The value at a place; None where there is none."""
    for key in place.split("."):
        config = config.get(key) if isinstance(config, Mapping) else None
    return config


def _absolute(model: str, *folders: Path) -> str:
    """A model's folder that lies in one of `folders` or in the working directory by its absolute path; anything else as it is."""
    found = (str((folder / model).absolute()) for folder in (*folders, Path()) if (folder / model / "configs").is_dir())
    return next(found, model)


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` in place of its own; mappings are merged key by key."""
    both = {key for key in above if isinstance(above[key], dict) and isinstance(below.get(key), dict)}
    return {**below, **above, **{key: over(below[key], above[key]) for key in both}}


def with_values(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A config with single values set by their place, as in {'optimizer.learning_rate': 0.01}."""
    made = dict(config)
    for place, value in values.items():
        nested: Any = value
        for key in reversed(place.split(".")):
            nested = {key: nested}
        made = over(made, nested)
    return made


def read_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Values given on a command line as PLACE=VALUE, the value in YAML.

    Raises:
        ConfigError: one is not of that form.
    """
    found = {}
    for setting in settings:
        place, equals, value = setting.partition("=")
        try:
            told = yaml.safe_load(value)
            found[place] = _absolute(told) if place in _MODELS and isinstance(told, str) else told
        except yaml.YAMLError:
            equals = ""
        if not equals or not place:
            raise ConfigError(f"'{setting}' sets nothing; expected PLACE=VALUE, such as optimizer.learning_rate=0.01.")
    return found
