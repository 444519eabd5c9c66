"""The decorator `parameterNodeWrapper`: a class of typed fields becomes a view of a parameter node."""

from __future__ import annotations

import logging
import typing
import weakref
from typing import Any

import slicer
import vtk

from panels.slicer_stand_in.parameters.annotations import Default, Validator, first, split
from panels.slicer_stand_in.parameters.connectors import GuiConnector, createGuiConnector
from panels.slicer_stand_in.parameters.serializers import Serializer, create_serializer
from panels.slicer_stand_in.session import NotInStandIn

SlicerParameterNamePropertyName = "SlicerParameterName"


_callbacks: list[Any] = []


def _kept(callback: Any) -> Any:
    """Python's garbage collector clears a callback that only a node calls whose Python object is gone, and the next event crashes."""
    _callbacks.append(callback)
    return callback


class _Parameter:
    """A field of the class: its serializer, its default and its type as written."""

    def __init__(self, basename: str, serializer: Serializer, default: Default, unaltered_type: Any) -> None:
        self.basename, self.serializer, self.default, self.unalteredType = basename, serializer, default, unaltered_type


class _Stored:
    """A field's value, kept and read again when the node changes."""

    def __init__(self, parameter: _Parameter, node: Any, name: str) -> None:
        self.parameter, self.node, self.name = parameter, node, name
        if not parameter.serializer.is_in(node, name):
            parameter.serializer.write(node, name, parameter.default.value)
        self._value, self._writing = parameter.serializer.read(node, name), False
        me = weakref.ref(self)
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, _kept(lambda caller, event: me() and me()._on_modified()))

    def __del__(self) -> None:
        if hasattr(self, "_tag"):
            self.node.RemoveObserver(self._tag)

    def _on_modified(self) -> None:
        if not self._writing:
            self._value = self._read()

    def _read(self) -> Any:
        if not self.parameter.serializer.is_in(self.node, self.name):
            self.parameter.serializer.write(self.node, self.name, self.parameter.default.value)
        return self.parameter.serializer.read(self.node, self.name)

    def read(self) -> Any:
        return self._value

    def write(self, value: Any) -> None:
        """Whoever hears of the change finds the new value here."""
        self._writing = True
        try:
            with slicer.util.NodeModify(self.node):
                self.parameter.serializer.write(self.node, self.name, value)
                self._value = self._read()
        finally:
            self._writing = False


def _initialize(self: Any, parameterNode: Any, prefix: str | None = None) -> None:  # noqa: N803
    self.parameterNode = parameterNode
    self._parameterGUIs: dict[int, dict[str, GuiConnector]] = {}
    self._nextParameterGUIsTag = 0
    self._updatingGUIFromParameterNode = False
    self._stored = {name: _Stored(parameter, parameterNode, f"{prefix or ''}{name}") for name, parameter in self.allParameters.items()}


def _check(parameters: dict[str, _Parameter], name: str) -> None:
    if "." in name:
        raise NotInStandIn("parameter packs")
    if name not in parameters:
        found = "".join(f"\n    {known}," for known in parameters)
        raise ValueError(f"Cannot find a param with the given name: {name}\n  Found parameters [{found}\n  ]")


def _get_value(self: Any, name: str) -> Any:
    _check(self.allParameters, name)
    return self._stored[name].read()


def _set_value(self: Any, name: str, value: Any) -> None:
    _check(self.allParameters, name)
    self._stored[name].write(value)


def _connect_parameters(self: Any, mapping: dict[str, Any]) -> int:
    for name in mapping:
        _check(self.allParameters, name)
    connectors = {
        name: value if isinstance(value, GuiConnector) else createGuiConnector(value, self.dataType(name)) for name, value in mapping.items()
    }
    tag, self._nextParameterGUIsTag = self._nextParameterGUIsTag, self._nextParameterGUIsTag + 1
    self._parameterGUIs[tag] = connectors
    for name, connector in connectors.items():
        connector.write(self.getValue(name))
        connector.onChanged(_reading(self, name, connector))
    self.AddObserver(vtk.vtkCommand.ModifiedEvent, _kept(lambda caller, event: _show(self)))
    return tag


def _reading(self: Any, name: str, connector: GuiConnector) -> Any:
    def changed() -> None:
        with slicer.util.NodeModify(self):
            if not self._updatingGUIFromParameterNode:
                self.setValue(name, connector.read())

    return changed


def _show(self: Any) -> None:
    """Write the values to all connected widgets."""
    if self._updatingGUIFromParameterNode:
        return
    self._updatingGUIFromParameterNode = True
    try:
        with slicer.util.NodeModify(self):
            for connectors in self._parameterGUIs.values():
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
    finally:
        self._updatingGUIFromParameterNode = False


def _connect_gui(self: Any, gui: Any) -> None:
    """Connect every widget that names a field. It returns nothing, as before Slicer 5.10, so that what it connects cannot be disconnected."""
    import qt

    is_widget = getattr(gui, "isWidgetType", lambda: False)()
    widgets = gui.findChildren(qt.QWidget) if is_widget else vars(gui).values()
    named = {widget.property(SlicerParameterNamePropertyName): widget for widget in widgets}
    _connect_parameters(self, {name: widget for name, widget in named.items() if name})


def _disconnect_gui(self: Any, tag: int | None) -> None:
    for connector in self._parameterGUIs.pop(tag, {}).values():
        connector.onChanged(None)


def findChildWidgetForParameter(widget: Any, parameter: str) -> Any:  # noqa: N802
    import qt

    return next((child for child in widget.findChildren(qt.QWidget) if child.property(SlicerParameterNamePropertyName) == parameter), None)


def isParameterNodeWrapper(classOrObj: Any) -> bool:  # noqa: N802, N803
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def _field(classtype: type, name: str, annotated: Any) -> _Parameter:
    kind, annotations = split(annotated)
    validators = [annotation for annotation in annotations if isinstance(annotation, Validator)]
    rest = [annotation for annotation in annotations if not isinstance(annotation, (Validator, Default))]
    try:
        serializer = create_serializer(kind, validators)
    except NotInStandIn:
        raise
    except Exception as error:
        raise Exception(f"Unable to create serializer for {classtype} member {name}") from error
    if hasattr(classtype, name):
        default = Default(getattr(classtype, name))
        rest += [annotation for annotation in annotations if isinstance(annotation, Default)]
    else:
        default = first(annotations, Default) or Default(serializer.default)
    if rest:
        logging.warning("Unused annotations: %s", rest)
    return _Parameter(name, serializer, default, annotated)


def _property(name: str) -> property:
    return property(lambda self: self._stored[name].read(), lambda self, value: self._stored[name].write(value))


def _wrap(classtype: type) -> type:
    hints = typing.get_type_hints(classtype, include_extras=True)
    parameters = {name: _field(classtype, name, annotated) for name, annotated in hints.items()}
    for name in parameters:
        setattr(classtype, name, _property(name))

    def data_type(membername: str) -> Any:
        _check(parameters, membername)
        return parameters[membername].unalteredType

    def default_of(self: Any, paramName: str) -> Default:  # noqa: N803
        _check(parameters, paramName)
        return parameters[paramName].default

    classtype.__init__ = _initialize
    for name, value in {
        "allParameters": parameters,
        "_is_parameter_node_wrapper": True,
        "default": default_of,
        "dataType": staticmethod(data_type),
        "getValue": _get_value,
        "setValue": _set_value,
        "isCached": lambda self, name: True,
        "connectGui": _connect_gui,
        "connectParametersToGui": _connect_parameters,
        "disconnectGui": _disconnect_gui,
        "StartModify": lambda self: self.parameterNode.StartModify(),
        "EndModify": lambda self, was_modified: self.parameterNode.EndModify(was_modified),
        "AddObserver": lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(event, callback, priority),
        "RemoveObserver": lambda self, tag: self.parameterNode.RemoveObserver(tag),
        "Modified": lambda self: self.parameterNode.Modified(),
    }.items():
        if hasattr(classtype, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(classtype, name, value)
    return classtype


def parameterNodeWrapper(classtype: type | None = None) -> Any:  # noqa: N802
    """As `@parameterNodeWrapper` or `@parameterNodeWrapper()`."""
    return _wrap if classtype is None else _wrap(classtype)
