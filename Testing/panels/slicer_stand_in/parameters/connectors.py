"""Which widget can show which type of field, and by which signal it tells a change: the pairs of Slicer 5.8.1."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from typing import Any

import ctk
import qt
import slicer

from panels.slicer_stand_in.parameters.annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange, first, split


class GuiConnector:
    """A widget seen as a value.

    Attributes:
        signal: name of the widget's signal; None for one that is only written to.
        value: name of the widget's property.
    """

    signal: str | None = None
    value = ""

    def __init__(self, widget: Any) -> None:
        self._widget, self._callback = widget, None

    def onChanged(self, callback: Any) -> None:  # noqa: N802
        self._callback = callback
        if self.signal:
            signal = getattr(self._widget, self.signal)
            signal.disconnect(self.changed) if callback is None else signal.connect(self.changed)

    def changed(self) -> None:
        if self._callback:
            self._callback()

    def widget(self) -> Any:
        return self._widget

    def read(self) -> Any:
        return getattr(self._widget, self.value)

    def write(self, value: Any) -> None:
        setattr(self._widget, self.value, value)


class _CheckBox(GuiConnector):
    signal, value = "stateChanged", "checked"


class _PushButton(GuiConnector):
    signal, value = "toggled", "checked"

    def __init__(self, widget: Any) -> None:
        super().__init__(widget)
        widget.checkable = True


class _LineEdit(GuiConnector):
    signal, value = "textChanged", "text"


class _Label(GuiConnector):
    value = "text"


class _TextEdit(GuiConnector):
    signal, value = "textChanged", "plainText"


class _Path(GuiConnector):
    def __init__(self, widget: Any, kind: type) -> None:
        super().__init__(widget)
        self._kind = kind

    def read(self) -> Any:
        return self._kind(super().read())

    def write(self, value: Any) -> None:
        super().write(str(value))


class _PathLine(_Path):
    signal, value = "currentPathChanged", "currentPath"


class _DirectoryButton(_Path):
    signal, value = "directoryChanged", "directory"


class _Number(GuiConnector):
    """A slider or spin box; its limits are the field's."""

    signal, value = "valueChanged", "value"

    def __init__(self, widget: Any, annotations: list[Any], lowest: float, highest: float) -> None:
        super().__init__(widget)
        if first(annotations, Decimals):
            widget.decimals = first(annotations, Decimals).value
        if first(annotations, SingleStep):
            widget.singleStep = first(annotations, SingleStep).value
        limits = first(annotations, WithinRange)
        minimum, maximum = limits or first(annotations, Minimum), limits or first(annotations, Maximum)
        if type(widget) in (qt.QSlider, ctk.ctkSliderWidget) and not (minimum and maximum):
            kind = "QSlider where the int type is" if type(widget) is qt.QSlider else "ctkSliderWidget where the float types is"
            raise RuntimeError(f"Cannot have a connection to {kind} unbounded.")
        widget.minimum = minimum.minimum if minimum else lowest
        widget.maximum = maximum.maximum if maximum else highest


class _Choices(GuiConnector):
    """A combo box filled with the choices a field has."""

    signal, value = "currentIndexChanged", "currentIndex"

    def __init__(self, widget: Any, choices: list[Any], labels: list[str], kept: int = 0) -> None:
        super().__init__(widget)
        self._choices = choices
        widget.clear()
        for label in labels:
            widget.addItem(label)
        widget.currentIndex = kept

    def read(self) -> Any:
        return self._choices[super().read()]

    def write(self, value: Any) -> None:
        if value not in self._choices:
            raise ValueError(f"Unable to find value {value} in choices {self._choices}")
        super().write(self._choices.index(value))


class _Node(GuiConnector):
    """A node selector; it offers the field's class of nodes, whatever the .ui file says."""

    signal = "currentNodeChanged"

    def __init__(self, widget: Any, kinds: list[type]) -> None:
        super().__init__(widget)
        widget.nodeTypes = tuple(kind().GetClassName() for kind in kinds)

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


_registered: list[type[GuiConnector]] = []


def parameterNodeGuiConnector(classtype: type | None = None) -> Any:  # noqa: N802
    """Register a connector of one's own; it is asked after Slicer's."""

    def register(cls: type) -> type:
        _registered.append(cls)
        return cls

    return register if classtype is None else register(classtype)


def createGuiConnector(widget: Any, datatype: Any) -> GuiConnector:  # noqa: N802
    """The connector of a widget and a field's type.

    Raises:
        RuntimeError: there is none.
    """
    kind, annotations = split(datatype)
    found = _create(widget, kind, list(annotations))
    if found is None:
        own = next((connector for connector in _registered if connector.canRepresent(widget, datatype)), None)
        if own is None:
            raise RuntimeError(f"Unable to create GUI connector from datatype '{datatype}' to widget type '{type(widget)}'.")
        return own.create(widget, datatype)
    return found


def _create(widget: Any, kind: Any, annotations: list[Any]) -> GuiConnector | None:
    cls = type(widget)
    simple = {(bool, qt.QCheckBox): _CheckBox, (bool, ctk.ctkCheckBox): _CheckBox, (bool, qt.QPushButton): _PushButton} | {
        (str, qt.QLineEdit): _LineEdit,
        (str, qt.QLabel): _Label,
        (str, qt.QTextEdit): _TextEdit,
    }
    if (kind, cls) in simple:
        return simple[kind, cls](widget)
    if kind is int and cls in (qt.QSlider, qt.QSpinBox):
        return _Number(widget, annotations, -(2**31), 2**31 - 1)
    if kind is float and cls in (qt.QDoubleSpinBox, ctk.ctkSliderWidget, ctk.ctkDoubleSpinBox):
        return _Number(widget, annotations, float("-inf"), float("inf"))
    if cls in (qt.QComboBox, ctk.ctkComboBox):
        return _combo_box(widget, kind, annotations)
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath) and cls in (ctk.ctkPathLineEdit, ctk.ctkDirectoryButton):
        return (_PathLine if cls is ctk.ctkPathLineEdit else _DirectoryButton)(widget, kind)
    if cls is slicer.qMRMLNodeComboBox:
        members = [split(member)[0] for member in typing.get_args(kind)] if typing.get_origin(kind) in (typing.Union, types.UnionType) else [kind]
        if all(member is type(None) or issubclass(member, slicer.vtkMRMLNode) for member in members):
            return _Node(widget, [member for member in members if member is not type(None)])
    return None


def _combo_box(widget: Any, kind: Any, annotations: list[Any]) -> GuiConnector | None:
    if kind in (int, float, str, bool):
        choice = first(annotations, Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        return _Choices(widget, list(choice.choices), [str(value) for value in choice.choices])
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        label = getattr(kind, "label", lambda member: member.name)
        return _Choices(widget, list(kind), [label(member) for member in kind], widget.currentIndex)
    return None
