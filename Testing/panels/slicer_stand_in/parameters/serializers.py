"""How a field's value becomes a parameter of the node, to the letter as in Slicer 5.8.1, so that saved scenes load there and here."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any

import slicer

from panels.slicer_stand_in.parameters.annotations import IsInstance, NotNone, Validator, split
from panels.slicer_stand_in.session import NotInStandIn

_PATHS = (pathlib.Path, pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)


class Serializer:
    """Writes a value as text, after checking it."""

    def __init__(self, kind: type, default: Any, to_text: Callable, from_text: Callable, validators: list[Validator]) -> None:
        self.kind, self.default, self._to_text, self._from_text, self.validators = kind, default, to_text, from_text, validators

    def validate(self, value: Any) -> None:
        for validator in self.validators:
            validator.validate(value)

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, self._to_text(value))

    def read(self, node: Any, name: str) -> Any:
        return self._from_text(node.GetParameter(name))

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class NodeSerializer(Serializer):
    """A node is a reference of the field's name; an empty parameter beside it says that something was stored."""

    def __init__(self, kind: type, validators: list[Validator]) -> None:
        super().__init__(kind, None, str, str, validators)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class OptionalSerializer(Serializer):
    """One of several types, as `X | None`: stored under the field's name with the number of the type."""

    def __init__(self, serializers: list[Serializer]) -> None:
        is_optional = len(serializers) == 2 and serializers[1].kind is type(None)
        super().__init__(object, None if is_optional else serializers[0].default, str, str, [])
        self._serializers = serializers

    def is_in(self, node: Any, name: str) -> bool:
        return any(serializer.is_in(node, f"{name}.{n}") for n, serializer in enumerate(self._serializers))

    def write(self, node: Any, name: str, value: Any) -> None:
        error: Exception = TypeError(f"Unable to write value '{value}' of type '{type(value)}'")
        for n, serializer in enumerate(self._serializers):
            if _can_hold(serializer.kind, type(value)):
                try:
                    serializer.validate(value)
                except (TypeError, ValueError) as refusal:
                    error = refusal
                    continue
                with slicer.util.NodeModify(node):
                    self.remove(node, name)
                    serializer.write(node, f"{name}.{n}", value)
                return
        raise error

    def read(self, node: Any, name: str) -> Any:
        for n, serializer in enumerate(self._serializers):
            if serializer.is_in(node, f"{name}.{n}"):
                return serializer.read(node, f"{name}.{n}")
        raise KeyError(f"Unable to find value for name: {name}")

    def remove(self, node: Any, name: str) -> None:
        for n, serializer in enumerate(self._serializers):
            serializer.remove(node, f"{name}.{n}")


def _can_hold(kind: type, of: type) -> bool:
    """Whether Slicer tries a type of a union for a value: by families of types, so that an integer may go where a float is meant."""
    if kind in (int, float):
        return of in (int, float)
    if kind in _PATHS:
        return of in _PATHS
    families = [family for family in (slicer.vtkMRMLNode, enum.Enum) if issubclass(kind, family)]
    return issubclass(of, families[0]) if families else of is kind


def create_serializer(kind: Any, validators: list[Validator]) -> Serializer:
    """The serializer of a type, with Slicer's own checks before the field's."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        if typing.get_origin(kind) is types.UnionType:
            raise Exception(f"Unable to create serializer for type: {kind}")  # Slicer 5.8.1 knows typing.Union alone
        members = [split(member) for member in typing.get_args(kind)]
        return OptionalSerializer([create_serializer(member, [a for a in notes if isinstance(a, Validator)]) for member, notes in members])
    if kind is type(None):
        return Serializer(kind, None, lambda value: "True", lambda text: None, validators)
    if kind in (int, float):
        accepted = int if kind is int else (int, float)
        return Serializer(kind, 0, str, kind, [NotNone(), IsInstance(accepted), *validators])
    if kind is str:
        return Serializer(kind, "", str, str, [NotNone(), IsInstance(str), *validators])
    if kind is bool:
        return Serializer(
            kind, False, lambda value: "True" if value else "False", lambda text: text == "True", [NotNone(), IsInstance(bool), *validators]
        )
    if kind in _PATHS:
        return Serializer(kind, kind(), str, kind, [NotNone(), IsInstance(kind), *validators])
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeSerializer(kind, [IsInstance(kind), *validators])
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        if not len(kind):
            raise ValueError("Cannot serialize empty Enum.")
        return Serializer(kind, next(iter(kind)), lambda value: value.name, lambda text: _member(kind, text), [IsInstance(kind), *validators])
    if kind in (list, dict, tuple) or typing.get_origin(kind) in (list, dict, tuple) or kind is Any:
        raise NotInStandIn(f"parameters of type {kind}")
    raise Exception(f"Unable to create serializer for type: {kind!s}")


def _member(kind: type[enum.Enum], name: str) -> enum.Enum:
    try:
        return kind[name]
    except KeyError as error:
        raise ValueError(f"Found {name!r} in parameter node but it is not a name in {kind!r}") from error
