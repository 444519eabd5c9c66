"""qMRMLWidget: a widget that knows the scene and tells its children when it changes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget


class SceneWidget(QWidget):
    """qMRMLWidget and qSlicerWidget."""

    mrmlSceneChanged = Signal(object)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:  # noqa: N802
        return self._scene
