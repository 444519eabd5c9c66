"""What was drawn, in JSON and back: dataclasses of numbers, flags, tuples and other such dataclasses."""

from __future__ import annotations

import types
from dataclasses import asdict, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints


def to_record(drawn: Any) -> dict[str, Any]:
    """Numbers, flags, lists and mappings alone. Python writes and reads a float's every digit, so nothing is lost in JSON."""
    return {key: _plain(value) for key, value in asdict(drawn).items()}


def from_record(kind: Any, record: Any) -> Any:
    """The opposite of `to_record`, `kind` being the dataclass.

    Raises:
        TypeError: the record is of something else.
    """
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{key: from_record(hints.get(key), value) for key, value in record.items()})
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if record is None else from_record(next(part for part in parts if part is not type(None)), record)
    if origin is tuple:
        parts = parts[:1] * len(record) if parts[-1] is Ellipsis else parts
        return tuple(from_record(part, item) for part, item in zip(parts, record, strict=True))
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
