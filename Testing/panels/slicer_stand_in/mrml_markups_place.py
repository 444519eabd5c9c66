"""qSlicerMarkupsPlaceWidget: the button that switches to placing points."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from panels.slicer_stand_in.mrml_scene_widget import SceneWidget
from panels.slicer_stand_in.observing import observe, stop_observing


class MarkupsPlaceWidget(SceneWidget):
    """qSlicerMarkupsPlaceWidget: its place button switches the real interaction node; nothing is drawn, so no point is ever placed by it."""

    activeMarkupsPlaceModeChanged = Signal(bool)  # noqa: N815
    activeMarkupsFiducialPlaceModeChanged = Signal(bool)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node, self._node_observations, self._observations, self._signaled = None, [], [], False
        self._persistent, self._buttons_visible, self._multiple = False, True, 0
        self._place, self._delete = QToolButton(), QToolButton()
        self._place.setText("Place")
        self._delete.setText("Delete")
        self._place.setCheckable(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._place)
        layout.addWidget(self._delete)
        self._place.toggled.connect(self.setPlaceModeEnabled)
        self._delete.clicked.connect(self.deleteLastPoint)
        self.updateWidget()

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        super().setMRMLScene(scene)
        stop_observing(self._observations)
        for node in (self.interactionNode(), self.selectionNode()):
            if node is not None:
                self._observations.append(observe(node, 33, self.updateWidget))
        if self.interactionNode() is not None:
            event = slicer.vtkMRMLInteractionNode.InteractionModeChangedEvent
            self._observations.append(observe(self.interactionNode(), event, self.updateWidget))
        self.updateWidget()

    def interactionNode(self) -> Any:  # noqa: N802
        return self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton") if self._scene is not None else None

    def selectionNode(self) -> Any:  # noqa: N802
        return self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton") if self._scene is not None else None

    def setCurrentNode(self, node: Any) -> None:  # noqa: N802
        node = node if node is not None and node.IsA("vtkMRMLMarkupsNode") else None
        if node is self._node:
            return
        stop_observing(self._node_observations)
        self._node = node
        events = (33, slicer.vtkMRMLMarkupsNode.PointAddedEvent, slicer.vtkMRMLMarkupsNode.PointRemovedEvent)
        for event in events if node is not None else ():
            self._node_observations.append(observe(node, event, self.updateWidget))
        self.updateWidget()

    def currentNode(self) -> Any:  # noqa: N802
        return self._node

    def currentMarkupsNode(self) -> Any:  # noqa: N802
        return self._node

    def placeButton(self) -> QToolButton:  # noqa: N802
        return self._place

    def deleteButton(self) -> QToolButton:  # noqa: N802
        return self._delete

    def setPlaceModeEnabled(self, enabled: bool) -> None:  # noqa: N802
        interaction = self.interactionNode()
        if interaction is None or self._node is None:
            return
        if enabled:
            slicer.modules.markups.logic().SetActiveList(self._node)
            interaction.SetPlaceModePersistence(int(self._persistent))
            interaction.SetCurrentInteractionMode(interaction.Place)
        else:
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)

    def _is_active(self) -> bool:
        selection = self.selectionNode()
        return (
            self._node is not None
            and selection is not None
            and selection.GetActivePlaceNodeID() == self._node.GetID()
            and selection.GetActivePlaceNodeClassName() == self._node.GetClassName()
        )

    def _places(self) -> bool:
        interaction = self.interactionNode()
        return self._is_active() and interaction is not None and interaction.GetCurrentInteractionMode() == interaction.Place

    def setCurrentNodeActive(self, active: bool) -> None:  # noqa: N802
        if active != self._is_active() and self.interactionNode() is not None:
            slicer.modules.markups.logic().SetActiveList(self._node if active else None)
            if not active:
                self.interactionNode().SetCurrentInteractionMode(self.interactionNode().ViewTransform)

    def setPlaceModePersistency(self, persistent: bool) -> None:  # noqa: N802
        self._persistent = persistent
        if self.interactionNode() is not None:
            self.interactionNode().SetPlaceModePersistence(int(persistent))

    def deleteLastPoint(self) -> None:  # noqa: N802
        if self._node is not None and self._node.GetNumberOfControlPoints():
            self._node.RemoveNthControlPoint(self._node.GetNumberOfControlPoints() - 1)

    def deleteAllPoints(self) -> None:  # noqa: N802
        if self._node is not None:
            self._node.RemoveAllControlPoints()

    def updateWidget(self) -> None:  # noqa: N802
        usable = self._node is not None and self.interactionNode() is not None
        self._place.setEnabled(usable)
        self._delete.setEnabled(usable and self._node.GetNumberOfControlPoints() > 0)
        places = usable and self._places()
        was_blocked = self._place.blockSignals(True)
        self._place.setChecked(places)
        self._place.blockSignals(was_blocked)
        if places != self._signaled:
            self._signaled = places
            self.activeMarkupsFiducialPlaceModeChanged.emit(places)
            self.activeMarkupsPlaceModeChanged.emit(places)

    def setButtonsVisible(self, visible: bool) -> None:  # noqa: N802
        self._buttons_visible = visible
        self._place.setVisible(visible)
        self._delete.setVisible(visible)

    currentNodeActive = Property(bool, _is_active, setCurrentNodeActive)  # noqa: N815
    placeModeEnabled = Property(bool, _places, setPlaceModeEnabled)  # noqa: N815
    placeModePersistency = Property(bool, lambda self: self._persistent, setPlaceModePersistency)  # noqa: N815
    placeMultipleMarkups = Property(int, lambda self: self._multiple, lambda self, value: setattr(self, "_multiple", value))  # noqa: N815
    buttonsVisible = Property(bool, lambda self: self._buttons_visible, setButtonsVisible)  # noqa: N815
