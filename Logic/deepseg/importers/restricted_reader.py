"""PyTorch's restricted reader of pickles: it takes tensors and plain values and calls nothing but what builds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from deepseg.errors import ModelError

_SAFE_SINCE = (2, 10)
"""Before 2.6 a file could run code in spite of the restriction (CVE-2025-32434), before 2.10 write over memory (CVE-2026-24747)."""


def read_restricted(path: Path, allowed: list[Any]) -> Any:
    """Content of a file that `torch.save` wrote.

    Args:
        path: the file.
        allowed: what it may hold besides tensors and plain values, as `torch.serialization.safe_globals` takes it.

    Raises:
        ModelError: the restriction of this PyTorch cannot be relied upon.
        Exception: the file holds something else, or is damaged, which may fail in any way.
    """
    if torch.__version__ < _SAFE_SINCE:
        raise ModelError(
            f"{path} is not opened: PyTorch {torch.__version__} can be made to run code by a prepared file of this kind. Install PyTorch "
            f"{'.'.join(map(str, _SAFE_SINCE))} or newer and import the model again; weights in safetensors need no newer PyTorch."
        )
    with torch.serialization.safe_globals(allowed):
        return torch.load(path, map_location="cpu", weights_only=True)
