"""Numbers that JSON has no word for, in messages that any JSON reader takes: nan and infinity travel as {"float": "nan"}."""

from __future__ import annotations

import math
from typing import Any

_KEY = "float"


def to_strict(value: Any) -> Any:
    """The same in strict JSON: whatever is not finite is named, and tuples become lists."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_KEY: str(float(value))}
    if isinstance(value, dict):
        return {key: to_strict(item) for key, item in value.items()}
    return [to_strict(item) for item in value] if isinstance(value, (list, tuple)) else value


def from_strict(value: Any) -> Any:
    """The opposite of `to_strict`, but for tuples, which stay lists.

    Raises:
        ValueError: something else is named as a number.
    """
    if isinstance(value, dict):
        return float(value[_KEY]) if value.keys() == {_KEY} else {key: from_strict(item) for key, item in value.items()}
    return [from_strict(item) for item in value] if isinstance(value, list) else value
