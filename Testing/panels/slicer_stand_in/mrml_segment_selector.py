"""qMRMLSegmentSelectorWidget: a segmentation and one of its segments."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from panels.slicer_stand_in.mrml_node_combo_box import NodeComboBox
from panels.slicer_stand_in.mrml_scene_widget import SceneWidget
from panels.slicer_stand_in.mrml_segments_table import SEGMENT_EVENTS, segment_ids
from panels.slicer_stand_in.observing import observe, stop_observing


class SegmentSelectorWidget(SceneWidget):
    """qMRMLSegmentSelectorWidget: a segmentation and one of its segments."""

    currentNodeChanged = Signal(object)  # noqa: N815
    currentNodeIsValid = Signal(bool)  # noqa: N815
    currentSegmentChanged = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node, self._observations, self._segment_id = None, [], ""
        self.node_selector, self.segment_box, self._message = NodeComboBox(), QComboBox(), QLabel()
        self.node_selector.setProperty("nodeTypes", ["vtkMRMLSegmentationNode"])
        for name in ("addEnabled", "removeEnabled"):
            self.node_selector.setProperty(name, False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.node_selector, self.segment_box, self._message):
            layout.addWidget(widget)
        self.node_selector.currentNodeChanged.connect(self._on_node_changed)
        self.node_selector.currentNodeChanged.connect(self.currentNodeChanged)
        self.node_selector.currentNodeIsValid.connect(self.currentNodeIsValid)
        self.segment_box.currentIndexChanged.connect(self._on_segment_changed)
        self.populateSegmentCombobox()

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        self.node_selector.setMRMLScene(scene)
        super().setMRMLScene(scene)

    def currentNode(self) -> Any:  # noqa: N802
        return self.node_selector.currentNode()

    def currentNodeID(self) -> str:  # noqa: N802
        return self.node_selector.currentNodeID_()

    def setCurrentNode(self, node: Any) -> None:  # noqa: N802
        self.node_selector.setCurrentNode(node)

    def setCurrentNodeID(self, node_id: str) -> None:  # noqa: N802
        self.node_selector.setCurrentNodeID(node_id)

    def currentSegmentID(self) -> str:  # noqa: N802
        return self._segment_id

    def setCurrentSegmentID(self, segment_id: str) -> None:  # noqa: N802
        if not segment_id and self._none_enabled():
            self.segment_box.setCurrentIndex(0)
        elif self.segment_box.findData(segment_id) >= 0:
            self.segment_box.setCurrentIndex(self.segment_box.findData(segment_id))

    def populateSegmentCombobox(self) -> None:  # noqa: N802
        ids = segment_ids(self._node)
        self.segment_box.blockSignals(True)
        self.segment_box.clear()
        self._message.setText("" if ids else "No segments in segmentation " if self._node is not None else "No node is selected ")
        self._message.setVisible(not ids)
        self.segment_box.setVisible(bool(ids))
        if ids and self._none_enabled():
            self.segment_box.addItem("None", "")
        for segment_id in ids:
            self.segment_box.addItem(self._node.GetSegmentation().GetSegment(segment_id).GetName(), segment_id)
        kept = self._segment_id in ids or (self._none_enabled() and not self._segment_id)
        self.segment_box.setCurrentIndex(self.segment_box.findData(self._segment_id) if kept else -1)
        self.segment_box.blockSignals(False)
        if ids and not kept:
            self.segment_box.setCurrentIndex(1 if self._none_enabled() else 0)

    def _none_enabled(self) -> bool:
        return self.node_selector.property("noneEnabled")

    def _on_node_changed(self, node: Any) -> None:
        if node is not self._node:
            stop_observing(self._observations)
            self._node = node
            for event in SEGMENT_EVENTS if node is not None else ():
                self._observations.append(observe(node, event, self.populateSegmentCombobox))
            self.populateSegmentCombobox()

    def _on_segment_changed(self, index: int) -> None:
        if self._node is not None:
            self._segment_id = self.segment_box.itemData(index) or ""
            self.currentSegmentChanged.emit(self._segment_id)

    def _set_none_enabled(self, enabled: bool) -> None:
        self.node_selector.setProperty("noneEnabled", enabled)
        self.populateSegmentCombobox()

    noneEnabled = Property(bool, _none_enabled, _set_none_enabled)  # noqa: N815
    segmentationNodeSelectorVisible = Property(  # noqa: N815
        bool, lambda self: self.node_selector.isVisible(), lambda self, visible: self.node_selector.setVisible(visible)
    )
