"""The modules that are loaded, which one the panel shows, and the module manager that knows them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import qt
import slicer
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QScrollArea

from panels.slicer_stand_in.api import Api, by_name
from panels.slicer_stand_in.core_modules import CORE_LOGICS, CoreModule
from panels.slicer_stand_in.proxy import alive
from panels.slicer_stand_in.proxy_classes import make_class
from panels.slicer_stand_in.scripted_modules import LoadedModule, guarded


class ModuleManager(QObject):
    """qSlicerModuleManager."""

    moduleLoaded = Signal(str)  # noqa: N815
    moduleAboutToBeUnloaded = Signal(str)  # noqa: N815


class Modules:
    """All modules, and which one the panel shows."""

    def __init__(self) -> None:
        self.loaded: dict[str, LoadedModule] = {}
        self.selected = ""
        self._added: list[str] = []
        self.core = {name: CoreModule(name, logic_class) for name, logic_class in CORE_LOGICS.items()}
        slicer.modules, slicer.moduleNames = SimpleNamespace(), SimpleNamespace()
        for name, module in self.core.items():
            self._announce(name, module)
        self.panel = QScrollArea()
        self.panel.setWidgetResizable(True)
        self.panel.resize(440, 900)
        self.panel.setWindowTitle("Slicer's module panel: a stand-in")

    def _announce(self, name: str, module: Any) -> None:
        setattr(slicer.modules, name.lower(), module)
        setattr(slicer.moduleNames, name, name)

    def load(self, path: str | Path) -> Any:
        """Load a scripted module from its file; its folder goes to the end of Python's path, as in Slicer."""
        path = Path(path).resolve()
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
            self._added.append(str(path.parent))
        module = LoadedModule(path)
        self.loaded[module.name] = module
        self._announce(module.name, module.proxy)
        setattr(slicer.modules, f"{module.name}Instance", module.instance)
        slicer.app.moduleManager().moduleLoaded.emit(module.name)
        slicer.app.emit("startupCompleted()")
        slicer.app.forget_listeners()
        return module.proxy

    def module(self, name: str) -> Any:
        if name in self.loaded:
            return self.loaded[name].proxy
        return self.core.get(name)

    def select(self, module: Any) -> None:
        """`slicer.util.selectModule`: leave the module that is shown, enter another."""
        name = module if isinstance(module, str) else module.name
        if self.module(name) is None:
            raise RuntimeError(f"the stand-in has no module {name!r} to select")
        if name == self.selected:
            return
        self._leave()
        self.selected = name
        if name in self.loaded:
            representation = self.loaded[name].widget_representation()
            self.panel.setWidget(alive(representation))
            self.panel.show()
            alive(representation).show()
            alive(representation).set_entered(True)
            _call(representation.self(), "enter")

    def _leave(self) -> None:
        left, self.selected = self.loaded.get(self.selected), ""
        if left is not None and left.representation is not None:
            alive(left.representation).set_entered(False)
            _call(left.representation.self(), "exit")
            widget = self.panel.takeWidget()
            if widget is not None:
                widget.hide()

    def unload_all(self) -> None:
        """As when Slicer ends: leave, clean up, delete the panels, forget the scripts."""
        self._leave()
        for name, module in self.loaded.items():
            slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(name)
            if module.representation is not None:
                module.representation.delete()
            sys.modules.pop(name, None)
            getattr(slicer, "selfTests", {}).pop(name, None)
        for folder in self._added:
            sys.path.remove(folder)
        self.loaded.clear()
        self._added.clear()
        self.panel.deleteLater()


def _call(script: Any, name: str) -> None:
    if hasattr(script, name):
        guarded(getattr(script, name))


def make_module_manager(modules: Modules) -> Any:
    """`slicer.app.moduleManager()`."""

    def names() -> tuple[str, ...]:
        return (*modules.core, *modules.loaded)

    registered: dict[str, str] = {}

    def register(file: Any) -> None:
        registered[file.baseName()] = file.filePath()

    def load(wanted: Any) -> bool:
        for name in wanted:
            if modules.module(name) is None:
                modules.load(registered[name])
        return True

    factory = SimpleNamespace(
        registerModule=register,
        loadModules=load,
        isLoaded=lambda name: modules.module(name) is not None,
        isRegistered=lambda name: name in registered or modules.module(name) is not None,
        loadedModuleNames=names,
        registeredModuleNames=names,
    )
    cls = make_class(
        "slicer",
        "qSlicerModuleManager",
        qt.QObject,
        ModuleManager,
        body={
            "module": lambda self, name: modules.module(name),
            "modulesNames": lambda self: names(),
            "factoryManager": lambda self: factory,
        },
    )
    cls._api = Api({}, by_name(["moduleLoaded(QString)", "moduleAboutToBeUnloaded(QString)"]), {})
    return cls()
