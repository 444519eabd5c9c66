"""Scripted modules: what qSlicerScriptedLoadableModule and its widget do with a script's classes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import qt
import slicer
from PySide6.QtCore import Property, QObject
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout, QWidget

from panels.slicer_stand_in.api import Api, by_name
from panels.slicer_stand_in.mrml_scene_widget import SceneWidget
from panels.slicer_stand_in.proxy import Proxy, alive
from panels.slicer_stand_in.proxy_classes import make_class
from panels.slicer_stand_in.session import SESSION
from panels.slicer_stand_in.values import to_python


def _kept(name: str, kind: type | str, default: Any) -> Property:
    return Property(kind, lambda self: self._kept.get(name, default), lambda self, value: self._kept.update({name: value}))


class ScriptedModule(QObject):
    """qSlicerScriptedLoadableModule."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__()
        self._kept, self._name, self._path = {}, name, path

    name = Property(str, lambda self: self._name)
    path = Property(str, lambda self: self._path)
    title = _kept("title", str, "")
    helpText = _kept("helpText", str, "")  # noqa: N815
    acknowledgementText = _kept("acknowledgementText", str, "")  # noqa: N815
    categories = _kept("categories", "QStringList", [])
    contributors = _kept("contributors", "QStringList", [])
    dependencies = _kept("dependencies", "QStringList", [])
    associatedNodeTypes = _kept("associatedNodeTypes", "QStringList", [])  # noqa: N815
    hidden = _kept("hidden", bool, False)
    index = _kept("index", int, -1)
    icon = _kept("icon", QIcon, QIcon())


class ModuleWidget(SceneWidget):
    """qSlicerScriptedLoadableModuleWidget: the panel around a script's widgets."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        QVBoxLayout(self)
        self._entered = False

    def set_entered(self, entered: bool) -> None:
        self._entered = entered

    isEntered = Property(bool, lambda self: self._entered)  # noqa: N815


def guarded(method: Any, *arguments: Any) -> None:
    """A call from C++ into a script: an error is printed, kept, and goes no further."""
    try:
        method(*arguments)
    except Exception as error:
        SESSION.keep_error(error)


def _module_logic(self: Proxy) -> Any:
    return alive(self).script.logic()


def _widget_representation(self: Proxy) -> Any:
    return alive(self).script.widget_representation()


_MODULE_API = Api(
    dict.fromkeys(("name", "path"), ("QString", False))
    | dict.fromkeys(("title", "helpText", "acknowledgementText"), ("QString", True))
    | dict.fromkeys(("categories", "contributors", "dependencies", "associatedNodeTypes"), ("QStringList", True))
    | {"hidden": ("bool", True), "index": ("int", True), "icon": ("QIcon", True)}
)
qSlicerScriptedLoadableModule = make_class(  # noqa: N816
    "slicer",
    "qSlicerScriptedLoadableModule",
    qt.QObject,
    ScriptedModule,
    body={"logic": _module_logic, "widgetRepresentation": _widget_representation},
)
qSlicerScriptedLoadableModule._api = _MODULE_API

qSlicerScriptedLoadableModuleWidget = make_class(  # noqa: N816
    "slicer",
    "qSlicerScriptedLoadableModuleWidget",
    qt.QWidget,
    ModuleWidget,
    key="slicer.qSlicerWidget",
    body={"self": lambda self: alive(self).script},
)
qSlicerScriptedLoadableModuleWidget._api = Api(
    {"isEntered": ("bool", False)}, by_name(["mrmlSceneChanged(vtkMRMLScene*)"]), by_name(["setMRMLScene(vtkMRMLScene*)", "mrmlScene()"])
)


class LoadedModule:
    """A scripted module from its file: what qSlicerScriptedLoadableModule does with the script's classes."""

    def __init__(self, path: Path) -> None:
        self.name, self._logic, self.representation = path.stem, None, None
        spec = importlib.util.spec_from_file_location(self.name, path)
        self.python: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = self.python
        spec.loader.exec_module(self.python)
        real = ScriptedModule(self.name, str(path))
        real.script = self
        self.proxy = to_python(real)
        self.instance = getattr(self.python, self.name)(self.proxy)
        if hasattr(self.instance, "setup"):
            guarded(self.instance.setup)

    def logic(self) -> Any:
        """The C++ logic, one for each module; not the script's."""
        if self._logic is None:
            self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
            self._logic.SetMRMLScene(slicer.mrmlScene)
            self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        return self._logic

    def widget_representation(self) -> Any:
        """The panel, made and set up when it is first asked for; None for a module without one."""
        widget_class = getattr(self.python, f"{self.name}Widget", None)
        if self.representation is None and widget_class is not None:
            real = ModuleWidget()
            self.representation = to_python(real)
            real.script = widget_class(self.representation)
            setattr(slicer.modules, f"{self.name}Widget", real.script)
            guarded(real.script.setup)
            real.setMRMLScene(slicer.mrmlScene)
        return self.representation
