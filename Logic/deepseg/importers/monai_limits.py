"""How much a bundle may make of a few words: parts that are shared in memory unfold to more than any memory holds."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

MAX_ITEMS = 100_000

_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxlist, _brief.maxdict = 3, 8, 8
_brief.maxstring = _brief.maxother = 120


def count_items(value: Any, most: int = MAX_ITEMS) -> int:
    """Items, numbers and characters in a value and all its parts, shared ones as often as they occur; counting ends beyond `most`."""
    if isinstance(value, str):
        return 1 + len(value)
    if hasattr(value, "shape"):  # arrays of PyTorch and NumPy
        return 1 + math.prod(value.shape)
    parts = [*value, *value.values()] if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    count = 1
    for part in parts:
        count += count_items(part, most - count)
        if count > most:
            break
    return count


def shown(value: Any) -> str:
    """A value as messages show it, shortened."""
    text = _brief.repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
