"""qMRMLSegmentsTableView: the segments of a real segmentation node, a row each."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, QItemSelection, QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QTableView, QVBoxLayout, QWidget

from panels.slicer_stand_in.mrml_scene_widget import SceneWidget
from panels.slicer_stand_in.observing import observe, stop_observing

_COLUMNS = ("visibility", "color", "opacity", "name", "status")
SEGMENT_EVENTS = (slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved, slicer.vtkSegmentation.SegmentModified)


def segment_ids(node: Any) -> list[str]:
    return list(node.GetSegmentation().GetSegmentIDs()) if node is not None and node.GetSegmentation() else []


class SegmentsTableView(SceneWidget):
    """qMRMLSegmentsTableView: a row a segment."""

    selectionChanged = Signal(QItemSelection, QItemSelection)  # noqa: N815
    segmentAboutToBeModified = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node, self._observations, self._read_only, self._hidden_ids, self._jump = None, [], False, [], False
        self.table, self._model = QTableView(), QStandardItemModel(0, len(_COLUMNS))
        self._model.setHorizontalHeaderLabels(["", "", "Opacity", "Name", "State"])
        self.table.setModel(self._model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.setColumnHidden(_COLUMNS.index("status"), True)
        self.table.selectionModel().selectionChanged.connect(self._on_selection_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)

    def setSegmentationNode(self, node: Any) -> None:  # noqa: N802
        stop_observing(self._observations)
        self._node = node
        if node is not None:
            for event in (*SEGMENT_EVENTS, vtk.vtkCommand.ModifiedEvent):
                self._observations.append(observe(node, event, self._populate))
        self._populate()

    def segmentationNode(self) -> Any:  # noqa: N802
        return self._node

    def displayedSegmentIDs(self) -> list[str]:  # noqa: N802
        return [self.segmentIDForRow(row) for row in range(self._model.rowCount())]

    def segmentIDForRow(self, row: int) -> str:  # noqa: N802
        return self._model.item(row, 0).data(Qt.ItemDataRole.UserRole) if 0 <= row < self._model.rowCount() else ""

    def rowForSegmentID(self, segment_id: str) -> int:  # noqa: N802
        displayed = self.displayedSegmentIDs()
        return displayed.index(segment_id) if segment_id in displayed else -1

    def selectedSegmentIDs(self) -> list[str]:  # noqa: N802
        selection = self.table.selectionModel()
        return [self.segmentIDForRow(row) for row in range(self._model.rowCount()) if selection.isRowSelected(row, QModelIndex())]

    def setSelectedSegmentIDs(self, wanted: list[str]) -> None:  # noqa: N802
        if list(wanted) == self.selectedSegmentIDs():
            return
        flag, any_valid = QItemSelectionModel.SelectionFlag.ClearAndSelect, False
        for row in [self.rowForSegmentID(segment_id) for segment_id in wanted]:
            if row >= 0:
                self.table.selectionModel().select(self._model.index(row, 0), flag | QItemSelectionModel.SelectionFlag.Rows)
                flag, any_valid = QItemSelectionModel.SelectionFlag.Select, True
        if not any_valid:
            self.clearSelection()

    def clearSelection(self) -> None:  # noqa: N802
        self.table.clearSelection()

    def setHideSegments(self, hidden: list[str]) -> None:  # noqa: N802
        self._hidden_ids = list(hidden)
        self._populate()

    def hideSegments(self) -> list[str]:  # noqa: N802
        return self._hidden_ids

    def tableWidget(self) -> QTableView:  # noqa: N802
        return self.table

    def model(self) -> QStandardItemModel:
        return self._model

    def setSelectionMode(self, mode: int) -> None:  # noqa: N802
        self.table.setSelectionMode(QAbstractItemView.SelectionMode(mode))

    def _on_selection_changed(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        if not self.table.signalsBlocked():
            self.selectionChanged.emit(selected, deselected)

    def _populate(self) -> None:
        shown = [segment_id for segment_id in segment_ids(self._node) if segment_id not in self._hidden_ids]
        selected = self.selectedSegmentIDs()
        if shown != self.displayedSegmentIDs():
            self.table.blockSignals(True)
            self._model.setRowCount(0)
            for segment_id in shown:
                items = [QStandardItem() for _ in _COLUMNS]
                for item in items:
                    item.setData(segment_id, Qt.ItemDataRole.UserRole)
                    item.setEditable(False)
                self._model.appendRow(items)
            self.table.blockSignals(False)
            self.setSelectedSegmentIDs([segment_id for segment_id in selected if segment_id in shown])
        for row, segment_id in enumerate(shown):
            segment = self._node.GetSegmentation().GetSegment(segment_id)
            self._model.item(row, _COLUMNS.index("name")).setText(segment.GetName() or "")
            pixels = QPixmap(16, 16)
            pixels.fill(QColor.fromRgbF(*segment.GetColor()))
            self._model.item(row, _COLUMNS.index("color")).setIcon(QIcon(pixels))
            display = self._node.GetDisplayNode()
            if display is not None:
                self._model.item(row, _COLUMNS.index("opacity")).setText(f"{display.GetSegmentOpacity3D(segment_id):.2f}")
                self._model.item(row, 0).setCheckable(True)
                self._model.item(row, 0).setCheckState(Qt.CheckState.Checked if display.GetSegmentVisibility(segment_id) else Qt.CheckState.Unchecked)

    def _column(name: str) -> Property:  # noqa: N805
        column = _COLUMNS.index(name)
        return Property(
            bool, lambda self: not self.table.isColumnHidden(column), lambda self, visible: self.table.setColumnHidden(column, not visible)
        )

    def _kept(name: str) -> Property:  # noqa: N805
        return Property(bool, lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))

    selectionMode = Property(int, lambda self: self.table.selectionMode().value, setSelectionMode)  # noqa: N815
    headerVisible = Property(  # noqa: N815
        bool, lambda self: not self.table.horizontalHeader().isHidden(), lambda self, visible: self.table.horizontalHeader().setVisible(visible)
    )
    visibilityColumnVisible, colorColumnVisible, opacityColumnVisible = (_column("visibility"), _column("color"), _column("opacity"))  # noqa: N815
    statusColumnVisible = _column("status")  # noqa: N815
    readOnly = _kept("_read_only")  # noqa: N815
    jumpToSelectedSegmentEnabled = _kept("_jump")  # noqa: N815
    segmentCount = Property(int, lambda self: len(segment_ids(self._node)))  # noqa: N815
