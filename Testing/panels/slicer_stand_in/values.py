"""Values on their way between Python and Qt, as PythonQt hands them over: enumerations are integers, lists come back as tuples."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import cache
from typing import Any

from panels.slicer_stand_in.session import NotInStandIn

_wrappers: dict[type, Callable[[Any], Any]] = {}


def register_wrapper(real_class: type, wrap: Callable[[Any], Any]) -> None:
    """`wrap` makes the Python side of objects of that class and of classes derived from it that have none of their own."""
    _wrappers.setdefault(real_class, wrap)


def to_python(value: Any) -> Any:
    """What PythonQt would give for a value of PySide6."""
    if value is None or isinstance(value, (str, bytes, bool, float)) or type(value) is int:
        return value
    if isinstance(value, enum.Enum):
        return int(value.value)
    if isinstance(value, (list, tuple)):
        return tuple(to_python(item) for item in value)
    wrap = next((_wrappers[base] for base in type(value).__mro__ if base in _wrappers), None)
    if wrap:
        return wrap(value)
    if type(value).__module__.startswith("PySide6"):
        if type(value).__name__ == "QOverrideCursorGuard":  # Qt 5 gives nothing there
            return None
        raise NotInStandIn(f"the class {type(value).__name__}")
    return value


def to_qt(value: Any) -> Any:
    """What PySide6 takes for a value that a script hands over."""
    real = getattr(type(value), "_is_proxy", False) and value._stand_in_real
    if real:
        return real
    if isinstance(value, (list, tuple)):
        return [to_qt(item) for item in value]
    return value


@cache
def enumerators(real_class: type) -> dict[str, Any]:
    """Qt 5's unscoped enumerations of a class: each enumerator as an integer, each enumeration as a type of integers without members."""
    found: dict[str, Any] = {}
    for base in reversed(real_class.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, type) and issubclass(value, enum.Enum):
                found[name] = type(name, (int,), {})
                found.update((member, int(item.value)) for member, item in value.__members__.items())
    return found
