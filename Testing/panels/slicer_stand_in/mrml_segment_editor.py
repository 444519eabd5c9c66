"""qMRMLSegmentEditorWidget, as far as nodes go."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from panels.slicer_stand_in.mrml_scene_widget import SceneWidget
from panels.slicer_stand_in.mrml_segments_table import SegmentsTableView


class SegmentEditorWidget(SceneWidget):
    """qMRMLSegmentEditorWidget: its choices are kept in the real segment editor node; it has no effects."""

    currentSegmentIDChanged = Signal(str)  # noqa: N815
    segmentationNodeChanged = Signal(object)  # noqa: N815
    sourceVolumeNodeChanged = Signal(object)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor: Any = None
        self._table = SegmentsTableView()
        QVBoxLayout(self).addWidget(self._table)

    def setMRMLSegmentEditorNode(self, node: Any) -> None:  # noqa: N802
        self._editor = node
        self._table.setSegmentationNode(self.segmentationNode())

    def mrmlSegmentEditorNode(self) -> Any:  # noqa: N802
        return self._editor

    def segmentationNode(self) -> Any:  # noqa: N802
        return self._editor.GetSegmentationNode() if self._editor is not None else None

    def segmentationNodeID(self) -> str:  # noqa: N802
        node = self.segmentationNode()
        return node.GetID() if node is not None else ""

    def setSegmentationNode(self, node: Any) -> None:  # noqa: N802
        if self._editor is not None and node is not self.segmentationNode():
            self._editor.SetAndObserveSegmentationNode(node)
            self._table.setSegmentationNode(node)
            self.segmentationNodeChanged.emit(node)

    def sourceVolumeNode(self) -> Any:  # noqa: N802
        return self._editor.GetSourceVolumeNode() if self._editor is not None else None

    def setSourceVolumeNode(self, node: Any) -> None:  # noqa: N802
        if self._editor is not None and node is not self.sourceVolumeNode():
            self._editor.SetAndObserveSourceVolumeNode(node)
            self.sourceVolumeNodeChanged.emit(node)

    def currentSegmentID(self) -> str:  # noqa: N802
        return (self._editor.GetSelectedSegmentID() or "") if self._editor is not None else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:  # noqa: N802
        if self._editor is not None and segment_id != self.currentSegmentID():
            self._editor.SetSelectedSegmentID(segment_id)
            self.currentSegmentIDChanged.emit(segment_id)
