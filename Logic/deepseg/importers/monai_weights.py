"""Weights and arrays of MONAI bundles: tensors and numbers are read, and anything else in a pickle is refused before it is made."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepseg.errors import ModelError
from deepseg.importers.monai_limits import MAX_ITEMS, count_items
from deepseg.importers.restricted_reader import read_restricted

_KEYS = ("model", "state_dict", "model_state_dict", "network")
_NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """A network's state dict: a file of tensors by name, or a checkpoint that has them under 'model', 'state_dict' or the like.

    Raises:
        ModelError: there is no such file, it is TorchScript, or holds something else.
    """
    if not path.is_file():
        script = path.with_suffix(".ts")
        if script.is_file():
            raise ModelError(
                f"The bundle has its network as TorchScript alone ({script.name}): that is a program, and DeepSeg runs none from a model. "
                f"Get the bundle with its weights, {path.name}."
            )
        raise ModelError(f"The bundle lacks its weights {path}. The Model Zoo keeps large files apart: download the bundle with them.")
    content = _safetensors(path) if path.suffix == ".safetensors" else _tensors(path)
    for key in _KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ModelError(f"{path} holds no tensors by name; expected a network's state dict, alone or under one of {', '.join(_KEYS)}.")
    # Not made contiguous before its shape is known to fit: a few bytes may be stretched over any shape.
    state = {str(name): value.detach().cpu() for name, value in content.items()}
    # Networks that were trained on several cards are wrapped.
    wrapped = all(name.startswith("module.") for name in state)
    return {name.removeprefix("module."): value for name, value in state.items()} if wrapped else state


def read_arrays(path: Path) -> Any:
    """Arrays, numbers, lists and dicts of them, as plain Python: what a searched architecture is stored as.

    Raises:
        ModelError: the file is missing or holds something else.
    """
    if not path.is_file():
        raise ModelError(f"The bundle lacks the file {path}. The Model Zoo keeps large files apart: download the bundle with them.")
    content = _tensors(path)
    if count_items(content) > MAX_ITEMS:
        raise ModelError(f"{path} holds more than {MAX_ITEMS} numbers; this is no architecture of a segmentation network.")
    return _plain(content, path)


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read: {str(error).splitlines()[0]}. Get the bundle again.") from error


def _tensors(path: Path) -> Any:
    if path.suffix == ".ts":
        raise ModelError(f"{path} is TorchScript: that is a program, and DeepSeg runs none from a model. Get the bundle with its weights, model.pt.")
    try:
        return read_restricted(path, _numpy_parts())
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"it asks for {asked[1]}, which is not opened" if asked else "it is damaged or holds other objects"
        raise ModelError(f"{path} cannot be read as tensors and numbers: {reason}. Get the bundle with a plain state dict.") from error


def _numpy_parts() -> list[Any]:
    """What arrays of numbers are pickled as, under the names of old and new NumPy."""
    from numpy._core import multiarray

    array, scalar = multiarray._reconstruct, multiarray.scalar
    named = [(part, f"numpy.{core}.multiarray.{part.__name__}") for core in ("core", "_core") for part in (array, scalar)]
    return [*named, np.ndarray, np.dtype, *(type(np.dtype(name)) for name in _NUMBERS)]


def _plain(value: Any, path: Path) -> Any:
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item, path) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, path) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ModelError(f"{path} holds {type(value).__name__}; expected arrays and numbers.")
