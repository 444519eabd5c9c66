"""qMRMLSegmentationShow3DButton: makes and removes the surfaces of a real segmentation node."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property
from PySide6.QtWidgets import QPushButton, QWidget

from panels.slicer_stand_in.mrml_segments_table import SEGMENT_EVENTS
from panels.slicer_stand_in.observing import observe, stop_observing

_SURFACES = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


class SegmentationShow3DButton(QPushButton):
    """qMRMLSegmentationShow3DButton: makes and removes the surfaces of a segmentation; without its menu."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Show 3D", parent)
        self._node, self._observations, self._locked = None, [], False
        self.setCheckable(True)
        self.setEnabled(False)
        self.toggled.connect(self.onToggled)

    def segmentationNode(self) -> Any:  # noqa: N802
        return self._node

    def setSegmentationNode(self, node: Any) -> None:  # noqa: N802
        if node is self._node:
            return
        stop_observing(self._observations)
        self._node = node
        representations = slicer.vtkSegmentation.ContainedRepresentationNamesModified
        for event in (vtk.vtkCommand.ModifiedEvent, *SEGMENT_EVENTS[:2], representations) if node is not None else ():
            self._observations.append(observe(node, event, self.updateWidgetFromMRML))
        self.updateWidgetFromMRML()

    def updateWidgetFromMRML(self) -> None:  # noqa: N802
        if self._node is None or self._node.GetSegmentation() is None:
            self.setEnabled(False)
            return
        segmentation = self._node.GetSegmentation()
        has_source = segmentation.GetSourceRepresentationName() != _SURFACES
        self.setEnabled(not self._locked and segmentation.GetNumberOfSegments() > 0 and has_source)
        was_blocked = self.blockSignals(True)
        self.setChecked(segmentation.ContainsRepresentation(_SURFACES))
        self.blockSignals(was_blocked)

    def onToggled(self, on: bool = True) -> None:  # noqa: N802
        if self._node is None or self._node.GetSegmentation() is None:
            return
        segmentation, display = self._node.GetSegmentation(), self._node.GetDisplayNode()
        with slicer.util.NodeModify(self._node):
            if not on:
                if segmentation.GetSourceRepresentationName() != _SURFACES:
                    segmentation.RemoveRepresentation(_SURFACES)
            elif segmentation.CreateRepresentation(_SURFACES) and display is not None:
                display.SetPreferredDisplayRepresentationName3D(_SURFACES)
                if segmentation.ContainsRepresentation(_LABELMAP):
                    display.SetPreferredDisplayRepresentationName2D(_LABELMAP)

    def setLocked(self, locked: bool) -> None:  # noqa: N802
        self._locked = locked
        self.updateWidgetFromMRML()

    locked = Property(bool, lambda self: self._locked, setLocked)
