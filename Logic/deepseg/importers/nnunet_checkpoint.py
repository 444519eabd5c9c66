"""Reading a checkpoint of nnU-Net without running anything it holds.

A checkpoint is a pickle, which could call any function. PyTorch's own restricted reader takes tensors and plain values, and calls nothing but
what builds them. nnU-Net's log also holds NumPy's numbers; the reader gets inert stand-ins for them, since nobody needs the log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deepseg.errors import ModelError
from deepseg.importers.restricted_reader import read_restricted
from deepseg.networks import load_stored, stored_names


class _StandIn:
    """Takes whatever it is given and does nothing."""

    def __init__(self, *given: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _stand_in(path: str) -> type:
    module, name = path.rsplit(".", 1)
    return type(name, (_StandIn,), {"__module__": module, "__qualname__": name})


# As NumPy 1 and NumPy 2 name them.
_STAND_INS = [_stand_in(path) for path in ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What the training of one fold left.

    Attributes:
        path: its file.
        trainer: name of the class that trained it.
        configuration: which of the plans' configurations it is of.
        mirror_axes: the network's spatial axes that may be mirrored.
        weights: nnU-Net's state dict, most tensors under several names.
    """

    path: Path
    trainer: str
    configuration: str
    mirror_axes: tuple[int, ...]
    weights: dict[str, torch.Tensor]

    def weights_for(self, network: nn.Module) -> dict[str, torch.Tensor]:
        """The weights under the names by which DeepSeg stores them, each once, proved to fit the network.

        Raises:
            ModelError: a tensor is missing, of another shape, or of no place in the network.
        """
        names = stored_names(network)
        for name, tensor in self.weights.items():
            if name not in names and not any(torch.equal(tensor, self.weights[other]) for other in _others(name) if other in self.weights):
                raise ModelError(f"{self.path} holds the weight '{name}', which nnU-Net's own network of these plans has not; it cannot be imported.")
        kept = {name: self.weights[name] for name in names if name in self.weights}
        try:
            load_stored(network, kept)
        except ModelError as error:
            raise ModelError(f"{self.path} does not fit plans.json beside it. {error}") from error
        return kept


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is run.

    Raises:
        ModelError: the file cannot be read, holds something else than numbers and text, or is no checkpoint of nnU-Net v2; or this PyTorch is too old
            to read it safely.
    """
    content = _load(path)
    arguments = content.get("init_args") if isinstance(content, dict) else None
    weights = content.get("network_weights") if isinstance(content, dict) else None
    trainer = content.get("trainer_name") if isinstance(content, dict) else None
    configuration = arguments.get("configuration") if isinstance(arguments, dict) else None
    if not isinstance(weights, dict) or not isinstance(trainer, str) or not isinstance(configuration, str):
        raise ModelError(f"{path} is not a checkpoint of nnU-Net v2: it lacks the network's weights, its trainer or its configuration.")
    if not all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in weights.items()):
        raise ModelError(f"{path} is not a checkpoint of nnU-Net v2: its weights are not all tensors.")
    axes = content.get("inference_allowed_mirroring_axes") or ()
    if not isinstance(axes, (list, tuple)) or not all(type(axis) is int and axis in (0, 1, 2) for axis in axes):
        raise ModelError(f"{path} names mirror axes that do not exist: {str(axes)[:40]}; expected some of 0, 1 and 2.")
    return Checkpoint(path, trainer, configuration, tuple(sorted(set(axes))), dict(weights))


def _load(path: Path) -> Any:
    try:
        return read_restricted(path, _STAND_INS)
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # a file that is no checkpoint may fail in any way
        if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise ModelError(
                f"{path} is refused: it asks for '{found[1]}', which no checkpoint of nnU-Net needs and which could run code on this computer. "
                "Nothing was run; get the checkpoint from a source you trust."
            ) from error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(f"{path} cannot be read as a checkpoint: {reason}. It is damaged or not a checkpoint of nnU-Net v2.") from error


def _others(name: str) -> set[str]:
    """Where else nnU-Net keeps the tensor that it repeats under this name: the decoder holds the encoder, a block its layers in a row."""
    first = name.removeprefix("decoder.") if name.startswith("decoder.encoder.") else name
    return {re.sub(r"\.all_modules\.\d+\.", f".{part}.", first) for part in ("conv", "norm", "nonlin")} - {name}
