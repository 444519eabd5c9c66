"""dataset.json, which the Medical Segmentation Decathlon and nnU-Net share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deepseg_train.errors import DatasetError

DESCRIPTION = "dataset.json"


def read_description(folder: Path, layout: str) -> dict[str, Any]:
    """What dataset.json holds.

    Raises:
        DatasetError: it is missing, not readable, or no mapping.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise DatasetError(f"{folder} is not a folder in {layout} layout: it lacks {DESCRIPTION}.")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise DatasetError(f"{path} holds {type(told).__name__}; expected a mapping.")
    return told


def channels_of(told: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    """Names of the channels that `{"0": name, "1": name}` lists.

    Raises:
        DatasetError: it is no such mapping.
    """
    named = told.get(key)
    if not isinstance(named, dict) or {str(number) for number in named} != {str(number) for number in range(len(named))} or not named:
        raise DatasetError(f"{path}: '{key}' is {named!r}; expected the channels by number, for example {{'0': 'T1', '1': 'T2'}}.")
    by_number = {str(number): str(name) for number, name in named.items()}
    return tuple(by_number[str(number)] for number in range(len(by_number)))


def text_of(told: dict[str, Any], *keys: str) -> str:
    """The first of `keys` that says something, as text."""
    return next((str(told[key]) for key in keys if told.get(key)), "")
