"""What `Annotated[...]` may say of a field: its default, what values it takes, how a widget shows it."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Annotated, Any


class Default:
    """The value a field has before anything is stored; made anew each time where a generator makes it."""

    def __init__(self, value: Any = None, *, generator: Any = None) -> None:
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    """Decimals of a spin box or slider."""

    value: int


@dataclass
class SingleStep:
    """Step of a spin box or slider."""

    value: float


class Validator:
    """Refuses values by raising."""

    def validate(self, value: Any) -> None:
        raise NotImplementedError


class NotNone(Validator):
    """Any value but None."""

    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("Value must not be None")


class IsInstance(Validator):
    """A value of a type, or None."""

    def __init__(self, classtype: Any) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type '{self.classtype}', is type '{type(value)}' value '{value}'")


class WithinRange(Validator):
    """A value within limits that belong to the range."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Minimum(Validator):
    """A value not below."""

    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: float) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be greater than {self.minimum}, is {value}")


class Maximum(Validator):
    """A value not above; the words are Slicer's."""

    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: float) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be greater than {self.maximum}, is {value}")


class Choice(Validator):
    """One of some values."""

    def __init__(self, choices: Any) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value}, but must be in one of the following: {self.choices}")


class Exclude(Validator):
    """None of some values."""

    def __init__(self, excludedValues: Any) -> None:  # noqa: N803
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value is {value}, but must not be an excluded value: excluded values {self.excludedValues}")


def split(annotated: Any) -> tuple[Any, list[Any]]:
    """A type and what was annotated."""
    kind, *annotations = typing.get_args(Annotated[annotated, None])
    return kind, annotations[:-1]


def first(annotations: list[Any], kind: type) -> Any:
    """The first annotation of a class; None without one."""
    return next((annotation for annotation in annotations if isinstance(annotation, kind)), None)
