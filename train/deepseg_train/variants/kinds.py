"""Which variants there are."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class Kind:
    """A variant.

    Attributes:
        name: key, and name of its folder.
        told: what it is, in words, as the end of "These are the weights of a model, ...".
        golden_limit: largest mean difference of a probability from the model's golden file with which it is written. The largest difference of a
            single voxel says little where classes meet: there, a small change of a logit changes a probability much.
        dtype: in which the weights of a model folder are stored; None for an ONNX file.
        computes_in: number types of its arithmetic.
    """

    name: str
    told: str
    golden_limit: float
    dtype: torch.dtype | None = None
    computes_in: str = "float32"

    @property
    def is_onnx(self) -> bool:
        return self.dtype is None


KINDS = {
    kind.name: kind
    for kind in (
        Kind("float16", "stored in 16 bits (IEEE half precision)", 1e-3, torch.float16),
        Kind("bfloat16", "stored in 16 bits (bfloat16: the range of float32, 8 bits of precision)", 2e-3, torch.bfloat16),
        Kind("int8", "stored in 8 bits with a scale for each convolution kernel; networks still compute in floats", 5e-3, torch.int8),
        Kind("onnx", "as an ONNX file in float32", 1e-5),
        Kind(
            "onnx-int8",
            "as an ONNX file whose convolutions compute in 8 bits, with ranges from training cases",
            1e-2,
            computes_in="int8 and float32",
        ),
    )
}

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def refuse_missing_packages(kinds: list[Kind]) -> None:
    """Refuse ONNX where it cannot be written.

    Raises:
        ConfigError: packages are missing, which are named.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing and any(kind.is_onnx for kind in kinds):
        raise ConfigError(
            f"ONNX variants need the packages {', '.join(missing)}. Install them (pip install 'deepseg-train[onnx]'), "
            f"or name other kinds: {', '.join(kind.name for kind in KINDS.values() if not kind.is_onnx)}."
        )
