"""Signals as PythonQt shows them: `x.clicked.connect(f)` and `x.connect("clicked(bool)", f)`; what a slot raises is printed and swallowed."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QMetaObject, QObject

from panels.slicer_stand_in.api import argument_types, name_of
from panels.slicer_stand_in.session import SESSION, NotInStandIn
from panels.slicer_stand_in.values import to_python, to_qt

OTHER_NAMES = {
    "currentIndexChanged(QString)": "currentTextChanged",
    "activated(QString)": "textActivated",
    "highlighted(QString)": "textHighlighted",
    "valueChanged(QString)": "textChanged",
    "error(QProcess::ProcessError)": "errorOccurred",
    "currentNodeChanged(bool)": "currentNodeIsValid",
    "selectionChanged()": "tableSelectionChanged",
}
"""Where Qt 6, or a widget of the stand-in, has one name for each signature."""


class Connections:
    """Who listens to an object's signals; kept with the object itself, not with its Python side."""

    def __init__(self) -> None:
        self.slots: dict[str, list[Callable]] = {}

    def deliver(self, signature: str, arguments: tuple) -> None:
        values = [to_python(argument) for argument in arguments[: len(argument_types(signature))]]
        for slot in list(self.slots.get(signature, ())):
            call_slot(slot, values)


def call_slot(slot: Callable, values: list) -> None:
    """Call with as many values as the slot takes; an error is printed, kept for the test, and goes no further."""
    try:
        slot(*values[: _number_of_arguments(slot, len(values))])
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as PythonQt, which lets nothing through
        SESSION.keep_error(error)


def _number_of_arguments(slot: Callable, given: int) -> int:
    """PythonQt counts the arguments of functions and methods, those with a default too; anything else gets all values."""
    own = 1 if isinstance(slot, types.MethodType) else 0
    function = slot.__func__ if own else slot
    if isinstance(function, types.FunctionType):
        return given if function.__code__.co_flags & 0x04 else max(min(function.__code__.co_argcount - own, given), 0)
    return given if not hasattr(slot, "takes_at_most") else slot.takes_at_most(given)


def connections_of(real: QObject) -> Connections:
    found = real.__dict__.get("_stand_in_connections")
    if found is None:
        found = real._stand_in_connections = Connections()
    return found


class Signal:
    """A signal of an object, by the first of its signatures, as PythonQt chooses it."""

    def __init__(self, real: QObject, class_name: str, signature: str) -> None:
        self._real, self._class_name, self._signature = real, class_name, signature

    def connect(self, slot: Callable) -> bool:
        if not callable(slot):
            raise ValueError(f"Called connect with a slot that is not callable: {slot!r}")
        connections = connections_of(self._real)
        if self._signature not in connections.slots:
            self._real_signal().connect(_relay(connections, self._signature))
            connections.slots[self._signature] = []
        connections.slots[self._signature].append(slot)
        return True

    def disconnect(self, slot: Callable | None = None) -> bool:
        """Without a slot, all of this signal's; False where nothing was connected."""
        slots = connections_of(self._real).slots.get(self._signature, [])
        leaving = [item for item in slots if slot is None or item == slot]
        for item in leaving:
            slots.remove(item)
        return bool(leaving)

    def __call__(self, *values: Any) -> Any:
        """A method of the same name, as QProcess.error."""
        name = name_of(self._signature)
        if not callable(getattr(self._real, name, None)):
            raise TypeError(f"'{name}' is a signal of {self._class_name} and has no method of that name")
        return to_python(getattr(self._real, name)(*[to_qt(value) for value in values]))

    def emit(self, *values: Any) -> None:
        self._real_signal().emit(*[to_qt(value) for value in values])

    def _real_signal(self) -> Any:
        name = OTHER_NAMES.get(self._signature, name_of(self._signature))
        try:
            return getattr(self._real, name)
        except AttributeError:
            raise NotInStandIn(f"the signal {self._class_name}.{self._signature}") from None


def _relay(connections: Connections, signature: str) -> Callable:
    """PySide6 looks at how many arguments a function takes, so it has as many as the signature."""
    relays = (
        lambda: connections.deliver(signature, ()),
        lambda a: connections.deliver(signature, (a,)),
        lambda a, b: connections.deliver(signature, (a, b)),
        lambda a, b, c: connections.deliver(signature, (a, b, c)),
        lambda a, b, c, d: connections.deliver(signature, (a, b, c, d)),
    )
    return relays[len(argument_types(signature))]


def normalized(signature: str) -> str:
    return bytes(QMetaObject.normalizedSignature(signature).data()).decode() if "(" in signature else signature
