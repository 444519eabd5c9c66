"""Calls of PySide6's methods with PythonQt's leniency: integers for enumerations, numbers for texts, floats for integers."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable
from inspect import Signature
from typing import Any

from PySide6.QtCore import QUrl
from shibokensupport.signature import get_signature

_NO_FIT = object()


def call(function: Callable, arguments: tuple, name: str) -> Any:
    """Call a method of PySide6 by whichever of its signatures takes the arguments.

    Raises:
        ValueError: none does; PythonQt's words.
    """
    try:
        return function(*arguments)
    except TypeError as error:
        if not _is_about_arguments(error):
            raise
    for signature in _signatures(function):
        fitting = _fit(signature, arguments)
        if fitting is not None:
            try:
                return function(*fitting)
            except TypeError as error:
                if not _is_about_arguments(error):
                    raise
    raise ValueError(f"Called {name} with wrong arguments: {arguments!r}")


def _is_about_arguments(error: TypeError) -> bool:
    return any(
        words in str(error) for words in ("wrong argument", "not enough arguments", "positional argument", "takes no arguments", "arguments required")
    )


def _signatures(function: Callable) -> list[Signature]:
    """PySide6 finds those of a method by the class that defines it, not always by one that inherits it."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    bases = (owner if isinstance(owner, type) else type(owner)).__mro__ if owner is not None else ()
    candidates = [function, *[vars(base)[name] for base in bases if name in vars(base)]]
    found = next((signature for signature in map(get_signature, candidates) if signature), [])
    return found if isinstance(found, list) else [found]


def _fit(signature: Signature, arguments: tuple) -> list | None:
    parameters = [p for p in signature.parameters.values() if p.name != "self" and p.kind is not p.KEYWORD_ONLY]
    if len(arguments) > len(parameters):
        return None
    fitting = [_convert(parameter.annotation, argument) for parameter, argument in zip(parameters, arguments, strict=False)]
    return None if any(item is _NO_FIT for item in fitting) else fitting


def _convert(annotation: Any, value: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        choices = [_convert(choice, value) for choice in typing.get_args(annotation)]
        changed = [choice for choice in choices if choice is not _NO_FIT]
        return next((choice for choice in changed if choice is not value), changed[0] if changed else _NO_FIT)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        try:
            return annotation(value) if isinstance(value, int) and not isinstance(value, bool) else _NO_FIT
        except ValueError:
            return _NO_FIT
    if annotation is str and isinstance(value, (int, float)):
        return str(value)
    if annotation is int and isinstance(value, float):
        return int(value)
    if annotation is QUrl and isinstance(value, str):
        return _NO_FIT
    return value
