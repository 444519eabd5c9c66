"""`slicer.app`: the application object as far as scripted modules ask it."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import qt
import slicer
from PySide6.QtCore import QCoreApplication, QSettings
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from panels.slicer_stand_in.qt_body import catch_urls
from panels.slicer_stand_in.scene_files import qSlicerCoreIOManager
from panels.slicer_stand_in.session import SESSION
from panels.slicer_stand_in.signals import call_slot
from panels.slicer_stand_in.values import to_python, to_qt
from panels.slicer_stand_in.views import qSlicerLayoutManager

_SIGNALS = ("startupCompleted()", "aboutToQuit()", "paletteChanged(QPalette)", "mrmlSceneChanged(vtkMRMLScene*)")
_DARK = {"Window": 53, "Base": 35, "AlternateBase": 53, "Button": 53, "ToolTipBase": 35, "Mid": 40, "Dark": 30, "Light": 90}


def start_qt(folder: Path) -> QApplication:
    """The process's one QApplication, offscreen, its settings in `folder`."""
    QCoreApplication.setOrganizationName("NA-MIC")
    QCoreApplication.setApplicationName("Slicer")
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    for scope in (QSettings.Scope.UserScope, QSettings.Scope.SystemScope):
        QSettings.setPath(QSettings.Format.IniFormat, scope, str(folder))
    application = QApplication.instance() or QApplication([])
    application.setStyle("Fusion")
    application.setQuitOnLastWindowClosed(False)
    return application


class qSlicerApplication:  # noqa: N801
    """What is not here raises PythonQt's words for an unknown name."""

    applicationName, applicationVersion, majorVersion, minorVersion, revision = "Slicer", "5.8.1", 5, 8, "33241"  # noqa: N815
    os, arch = "linux", "amd64"
    platform = "linux-amd64" if platform.system() == "Linux" else platform.platform()
    temporaryPath = tempfile.gettempdir()  # noqa: N815

    def __init__(self, application: QApplication, scene: Any, logic: Any) -> None:
        self._application, self._scene, self._logic = application, scene, logic
        for node_class in (slicer.vtkMRMLColorLegendDisplayNode, slicer.vtkMRMLSequenceBrowserNode):
            scene.RegisterNodeClass(node_class())  # as the modules Colors and Sequences do
        self._module_manager: Any = None
        self._layout_manager: qSlicerLayoutManager | None = None
        self._listeners: dict[str, list[Callable]] = {signal: [] for signal in _SIGNALS}
        self._testing = False
        self._light, self._url_catcher = application.palette(), catch_urls()
        application.paletteChanged.connect(lambda palette: self.emit("paletteChanged(QPalette)", to_python(palette)))

    def start(self, module_manager: Any) -> None:
        """Complete what needs the modules."""
        self._module_manager = module_manager

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"qSlicerApplication has no attribute named '{name}'")

    def connect(self, signature: str, slot: Callable) -> bool:
        if signature in self._listeners:
            self._listeners[signature].append(slot)
        return signature in self._listeners

    def disconnect(self, signature: str, slot: Callable) -> bool:
        if slot in self._listeners.get(signature, []):
            self._listeners[signature].remove(slot)
            return True
        return False

    def emit(self, signature: str, *values: Any) -> None:
        """For the stand-in: tell those who connected."""
        for slot in list(self._listeners[signature]):
            call_slot(slot, list(values))

    def forget_listeners(self) -> None:
        for listeners in self._listeners.values():
            listeners.clear()

    # The application.

    def processEvents(self, *_: Any) -> None:  # noqa: N802
        self._application.processEvents()

    def process_for(self, seconds: float) -> None:
        """For the stand-in: handle events for a while."""
        end = time.monotonic() + seconds
        self._application.processEvents()
        while time.monotonic() < end:
            self._application.processEvents()
            time.sleep(0.002)

    def testingEnabled(self) -> bool:  # noqa: N802
        return self._testing

    def set_testing(self, testing: bool) -> None:
        """For the stand-in: as if started with --testing."""
        self._testing = testing

    def commandOptions(self) -> Any:  # noqa: N802
        return SimpleNamespace(noMainWindow=False, testingEnabled=self._testing, pythonScript="")

    def settings(self) -> Any:
        return qt.QSettings()

    userSettings = revisionUserSettings = settings  # noqa: N815

    @property
    def slicerUserSettingsFilePath(self) -> str:  # noqa: N802
        return QSettings().fileName()

    slicerRevisionUserSettingsFilePath = slicerUserSettingsFilePath  # noqa: N815

    def clipboard(self) -> Any:
        return to_python(self._application.clipboard())

    def errorLogModel(self) -> Any:  # noqa: N802
        """Four entries come with the start."""
        return SimpleNamespace(logEntryCount=lambda: 4 + len(SESSION.slot_errors))

    def setOverrideCursor(self, cursor: Any) -> None:  # noqa: N802
        qt.QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:  # noqa: N802
        qt.QApplication.restoreOverrideCursor()

    def keyboardModifiers(self) -> int:  # noqa: N802
        return self._application.keyboardModifiers().value

    def translate(self, context: str, text: str) -> str:
        return text

    # Looks.

    def palette(self) -> Any:
        return to_python(self._application.palette())

    def setPalette(self, palette: Any) -> None:  # noqa: N802
        self._application.setPalette(to_qt(palette))

    @property
    def styleSheet(self) -> str:  # noqa: N802
        return self._application.styleSheet()

    @styleSheet.setter
    def styleSheet(self, sheet: str) -> None:  # noqa: N802
        self._application.setStyleSheet(sheet)

    def set_dark(self, dark: bool) -> None:
        """For the stand-in: Slicer's dark style, or the light one."""
        palette = QPalette(self._light)
        if dark:
            for role, grey in _DARK.items():
                palette.setColor(getattr(QPalette.ColorRole, role), QColor(grey, grey, grey))
            for role in ("WindowText", "Text", "ButtonText", "ToolTipText", "BrightText", "PlaceholderText"):
                palette.setColor(getattr(QPalette.ColorRole, role), QColor("white"))
                palette.setColor(QPalette.ColorGroup.Disabled, getattr(QPalette.ColorRole, role), QColor(127, 127, 127))
            palette.setColor(QPalette.ColorRole.Highlight, QColor(42, 130, 218))
            palette.setColor(QPalette.ColorRole.Link, QColor(86, 160, 230))
        self._application.setPalette(palette)

    # The scene.

    def mrmlScene(self) -> Any:  # noqa: N802
        return self._scene

    def applicationLogic(self) -> Any:  # noqa: N802
        return self._logic

    def coreIOManager(self) -> qSlicerCoreIOManager:  # noqa: N802
        return qSlicerCoreIOManager(self._scene)

    ioManager = coreIOManager  # noqa: N815

    def moduleManager(self) -> Any:  # noqa: N802
        return self._module_manager

    def layoutManager(self) -> qSlicerLayoutManager:  # noqa: N802
        if self._layout_manager is None:
            self._layout_manager = qSlicerLayoutManager(self._scene, self._logic)
        return self._layout_manager

    def pauseRender(self) -> None:  # noqa: N802
        """Nothing is rendered."""

    resumeRender = pauseRender  # noqa: N815
