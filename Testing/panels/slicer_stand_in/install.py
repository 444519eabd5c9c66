"""Puts the stand-in in Slicer's place (`qt`, `ctk`, names in `slicer`) for one test after another, and takes it away again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer

from panels.slicer_stand_in import ctk_module, qt_module

_PARTS = ("slicer.i18n", "slicer.ScriptedLoadableModule", "slicer.parameterNodeWrapper")


def _no_pip(*_: Any, **__: Any) -> None:
    raise AssertionError("slicer.util.pip_install was called: a test must not install packages")


def _temporary_directory(key: str = "__SlicerTemp__", tempDir: str | None = None, includeDateTime: bool = True) -> str:  # noqa: N803
    return tempfile.mkdtemp(prefix=key, dir=tempDir)


class StandIn:
    """Slicer's Qt side in this process. Made once; the modules of Slicer's are put in place and removed around each test."""

    def __init__(self, scene: Any, application_logic: Any, settings_folder: Path) -> None:
        self.qt = qt_module.build()
        self.ctk = ctk_module.build(self.qt)
        sys.modules.update(qt=self.qt, ctk=self.ctk)
        from panels.slicer_stand_in import mrml_module
        from panels.slicer_stand_in.application import qSlicerApplication, start_qt

        self._names: dict[str, Any] = {**mrml_module.build(self.qt), "mrmlScene": scene}
        self._names["app"] = self.app = qSlicerApplication(start_qt(settings_folder), scene, application_logic)
        self._put(slicer, self._names, {})
        from panels.slicer_stand_in import i18n, module_bases, modules, parameters, questions, sample_data, scripted_modules, ui_files

        self._modules_file = modules
        self._names["qSlicerScriptedLoadableModule"] = scripted_modules.qSlicerScriptedLoadableModule
        self._python = dict(zip(_PARTS, (i18n, module_bases, parameters), strict=True)) | {"qt": self.qt, "ctk": self.ctk, "SampleData": sample_data}
        self._util = {
            "loadUI": ui_files.load_ui,
            "messageBox": questions.message_box,
            "_messageDisplay": questions.message_display,
            "mainWindow": lambda: None,
            "pip_install": _no_pip,
            "pip_uninstall": _no_pip,
            "tempDirectory": _temporary_directory,
            "startupEnvironment": lambda: dict(__import__("os").environ),
        }
        self._earlier: dict[Any, dict[str, Any]] = {}
        self.modules: Any = None
        self.remove()

    def put(self) -> None:
        """Slicer is here."""
        for name, module in self._python.items():
            sys.modules[name] = module
        self._names |= {name.rsplit(".", 1)[1]: module for name, module in self._python.items() if "." in name}
        self._put(slicer, self._names, self._earlier.setdefault("slicer", {}))
        self.modules = self._modules_file.Modules()
        util = self._util | {"selectModule": self.modules.select, "selectedModule": lambda: self.modules.selected}
        util["moduleNames"] = lambda: [*self.modules.core, *self.modules.loaded]
        self._put(slicer.util, util, self._earlier.setdefault("util", {}))
        self.app.start(self._modules_file.make_module_manager(self.modules))

    def remove(self) -> None:
        """Slicer is gone; slicer-core's own modules are as they were."""
        for name in ("qt", "ctk", "SampleData", *_PARTS):
            sys.modules.pop(name, None)
        self._take_back(slicer, {*self._names, "modules", "moduleNames", "selfTests"}, self._earlier.pop("slicer", {}))
        self._take_back(slicer.util, {*self._util, "selectModule", "selectedModule", "moduleNames"}, self._earlier.pop("util", None))

    @staticmethod
    def _put(module: ModuleType, names: dict[str, Any], earlier: dict[str, Any]) -> None:
        for name, value in names.items():
            if hasattr(module, name):
                earlier[name] = getattr(module, name)
            setattr(module, name, value)

    @staticmethod
    def _take_back(module: ModuleType, names: set[str], earlier: dict[str, Any] | None) -> None:
        if earlier is None:
            return
        for name in names:
            if name in earlier:
                setattr(module, name, earlier[name])
            elif hasattr(module, name):
                delattr(module, name)
