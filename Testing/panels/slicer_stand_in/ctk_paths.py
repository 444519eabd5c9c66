"""CTK's widgets for a path: a line to edit and a button that shows a folder. Their file dialogs are answered by the test."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QWidget

from panels.slicer_stand_in.session import SESSION


class PathLineEdit(QWidget):
    """ctkPathLineEdit."""

    currentPathChanged = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label, self._filters, self._name_filters, self._setting_key = "", 0, [], ""
        self._box, self._button = QComboBox(), QToolButton()
        self._box.setEditable(True)
        self._button.setText("...")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box, 1)
        layout.addWidget(self._button)
        self._box.editTextChanged.connect(self._on_edited)
        self._button.clicked.connect(self.browse)

    def setCurrentPath(self, path: str) -> None:  # noqa: N802
        self._box.setEditText(path)

    def _on_edited(self, path: str) -> None:
        """A path that the name filters do not let through is kept, but not told."""
        patterns = [pattern for text in self._name_filters for pattern in re.findall(r"[^\s();]*\*[^\s();]*", text)]
        if not patterns or any(fnmatch(path, pattern) for pattern in patterns):
            self.currentPathChanged.emit(path)

    def comboBox(self) -> QComboBox:  # noqa: N802
        return self._box

    def addCurrentPathToHistory(self) -> None:  # noqa: N802
        if self._box.currentText() and self._box.findText(self._box.currentText()) < 0:
            self._box.insertItem(0, self._box.currentText())

    def browse(self) -> None:
        chosen = SESSION.ask(self._label or "path")
        if chosen:
            self.setCurrentPath(str(chosen))

    def _field(name: str, kind: type | str):  # noqa: N805
        return Property(kind, lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))

    currentPath = Property(str, lambda self: self._box.currentText(), setCurrentPath)  # noqa: N815
    label = _field("_label", str)
    filters = _field("_filters", int)
    nameFilters = _field("_name_filters", "QStringList")  # noqa: N815
    settingKey = _field("_setting_key", str)  # noqa: N815
    showBrowseButton = Property(bool, lambda self: not self._button.isHidden(), lambda self, show: self._button.setVisible(show))  # noqa: N815


class DirectoryButton(QPushButton):
    """ctkDirectoryButton."""

    directoryChanged = Signal(str)  # noqa: N815
    directorySelected = Signal(str)  # noqa: N815

    def __init__(self, directory: str | QWidget = "", parent: QWidget | None = None) -> None:
        super().__init__(directory if isinstance(directory, QWidget) else parent)
        self._directory = str(Path(directory or ".").absolute()) if not isinstance(directory, QWidget) else str(Path.cwd())
        self._caption = ""
        self.setText(self._directory)
        self.clicked.connect(self.browse)

    def browse(self) -> None:
        chosen = SESSION.ask(self._caption or "directory")
        if chosen:
            self._set_directory(str(chosen))

    def _set_directory(self, directory: str) -> None:
        directory = str(Path(directory).absolute())
        changed, self._directory = directory != self._directory, directory
        self.setText(directory)
        self.directorySelected.emit(directory)
        if changed:
            self.directoryChanged.emit(directory)

    directory = Property(str, lambda self: self._directory, _set_directory)
    caption = Property(str, lambda self: self._caption, lambda self, caption: setattr(self, "_caption", caption))
