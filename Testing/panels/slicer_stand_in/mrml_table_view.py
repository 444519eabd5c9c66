"""qMRMLTableView: the rows and columns of a real table node, as qMRMLTableModel lays them out."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView, QWidget

from panels.slicer_stand_in.observing import observe, stop_observing


class MrmlTableView(QTableView):
    """qMRMLTableView. Cells are shown, not edited, however the node is locked."""

    mrmlSceneChanged = Signal(object)  # noqa: N815
    tableSelectionChanged = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node, self._scene, self._observations, self._transposed = None, None, [], False
        self._items = QStandardItemModel()
        self.setModel(self._items)
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.selectionModel().selectionChanged.connect(lambda *_: self.tableSelectionChanged.emit())

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        if scene is not self._scene:
            self._scene = scene
            if self._node is not None and scene is not self._node.GetScene():
                self.setMRMLTableNode(None)
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:  # noqa: N802
        return self._scene

    def setMRMLTableNode(self, node: Any) -> None:  # noqa: N802
        stop_observing(self._observations)
        self._node = node
        if node is not None:
            self._observations.append(observe(node, vtk.vtkCommand.ModifiedEvent, self._populate))
        self._populate()

    def mrmlTableNode(self) -> Any:  # noqa: N802
        return self._node

    def _populate(self) -> None:
        self._items.clear()
        table = self._node.GetTable() if self._node is not None else None
        if table is None or not table.GetNumberOfColumns():
            return
        first = 1 if self._node.GetUseFirstColumnAsRowHeader() else 0
        titles_above = self._node.GetUseColumnTitleAsColumnHeader()
        for column in range(first, table.GetNumberOfColumns()):
            name = table.GetColumnName(column) or ""
            cells = [table.GetValue(row, column).ToString() for row in range(table.GetNumberOfRows())]
            items = [QStandardItem(text) for text in (cells if titles_above else [name, *cells])]
            (self._items.appendRow if self._transposed else self._items.appendColumn)(items)
            unit = self._node.GetColumnUnitLabel(name)
            header = f"{self._node.GetColumnTitle(name) or name}{f' [{unit}]' if unit else ''}" if titles_above else _letter(column - first)
            self._items.setHeaderData(column - first, Qt.Orientation.Vertical if self._transposed else Qt.Orientation.Horizontal, header)
        if first:
            for row in range(table.GetNumberOfRows()):
                self._items.setHeaderData(
                    row + (0 if titles_above else 1),
                    Qt.Orientation.Horizontal if self._transposed else Qt.Orientation.Vertical,
                    table.GetValue(row, 0).ToString(),
                )

    def setTransposed(self, transposed: bool) -> None:  # noqa: N802
        self._transposed = transposed
        self._populate()

    transposed = Property(bool, lambda self: self._transposed, setTransposed)


def _letter(column: int) -> str:
    return chr(ord("A") + column) if column < 26 else _letter(column // 26 - 1) + _letter(column % 26)
