"""qMRMLNodeComboBox on a real scene: a row a node, before them 'None', after them what can be done (create, rename, delete)."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtGui import QStandardItem
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QWidget

from panels.slicer_stand_in.ctk_choices import ComboBox
from panels.slicer_stand_in.mrml_node_actions import NodeActions
from panels.slicer_stand_in.mrml_node_filter import NodeFilter
from panels.slicer_stand_in.mrml_node_rows import ID_ROLE, NodeRows
from panels.slicer_stand_in.observing import observe, stop_observing


class NodeComboBox(NodeActions, QWidget):
    """qMRMLNodeComboBox. Qt's own combo box decides which row is current when rows come and go, as in Slicer."""

    currentNodeChanged = Signal(object)  # noqa: N815
    currentNodeIsValid = Signal(bool)  # noqa: N815
    currentNodeIDChanged = Signal(str)  # noqa: N815
    nodeActivated = Signal(object)  # noqa: N815
    nodeAdded = Signal(object)  # noqa: N815
    nodeAddedByUser = Signal(object)  # noqa: N815
    nodeAboutToBeRemoved = Signal(object)  # noqa: N815
    nodeAboutToBeEdited = Signal(object)  # noqa: N815
    currentNodeRenamed = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.filter, self._scene, self._observations = NodeFilter(), None, []
        self._base_names, self._factory_attributes, self._requested, self._select_new = {}, {}, "", True
        self._watched: set[str] = set()
        self.combo_box = ComboBox()
        self._rows = NodeRows(self.combo_box)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.combo_box)
        self.combo_box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self.combo_box)
        self.combo_box.currentIndexChanged.connect(self.emitCurrentNodeChanged)
        self.combo_box.activated.connect(self.emitNodeActivated)
        self.combo_box.model().rowsRemoved.connect(self._on_rows_removed)
        self.combo_box.view().clicked.connect(self.activateExtraItem)
        self.setEnabled(False)

    # The scene.

    def mrmlScene(self) -> Any:  # noqa: N802
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        if scene is self._scene:
            return
        had_nodes, earlier = self.nodeCount() > 0, self.currentNodeID_()
        stop_observing(self._observations)
        self._scene, self._watched = scene, set()
        self._rows.scene = scene
        self._rebuild()
        if scene is not None:
            for event, method, with_node in (
                (slicer.vtkMRMLScene.NodeAddedEvent, self._on_node_added, True),
                (slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._on_node_about_to_be_removed, True),
                (slicer.vtkMRMLScene.EndImportEvent, self._synchronize, False),
                (slicer.vtkMRMLScene.EndRestoreEvent, self._synchronize, False),
            ):
                self._observations.append(observe(scene, event, method, with_node))
        self.setCurrentNodeID(earlier if had_nodes else self._requested or self.currentNodeID_())
        self._requested = ""
        self.setEnabled(scene is not None)

    def _on_node_added(self, node: Any) -> None:
        if node is not None:
            self._watch(node)
        if node is not None and self.filter.accepts(node) and self._rows.row_of(node.GetID()) < 0:
            self._insert(node)

    def _on_node_about_to_be_removed(self, node: Any) -> None:
        row = self._rows.row_of(node.GetID()) if node is not None else -1
        if node is not None:
            self._watched.discard(node.GetID())
        if row >= 0:
            self.nodeAboutToBeRemoved.emit(node)
            self.combo_box.removeItem(row)

    def _on_rows_removed(self, *_: object) -> None:
        if self.currentNode() is None and self.combo_box.currentIndex() != self._rows.nothing():
            self.setCurrentNodeID("")

    def _on_node_modified(self) -> None:
        """Renamed nodes show their new name."""
        for row in range(self.combo_box.count()):
            node = self._rows.node_at(row)
            if node is not None and node.GetName() != self.combo_box.itemText(row):
                self.combo_box.setItemText(row, node.GetName() or "")

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        found = [self._scene.GetNthNode(n) for n in range(self._scene.GetNumberOfNodes())]
        for node in found:
            self._watch(node)
        return [node for node in found if self.filter.accepts(node)]

    def _watch(self, node: Any) -> None:
        """Look again when a node changes whose attributes count."""
        if self.filter.depends_on_attributes_of(node) and node.GetID() not in self._watched:
            self._watched.add(node.GetID())
            self._observations.append(observe(node, vtk.vtkCommand.ModifiedEvent, self._synchronize))

    def _synchronize(self) -> None:
        """Offer what the filter lets through now, keeping the rows that stay."""
        if self._scene is None or self._scene.IsClosing():
            return
        nodes = {node.GetID(): node for node in self._nodes()}
        for row in reversed(range(self.combo_box.count())):
            if self.combo_box.itemData(row, ID_ROLE) and self.combo_box.itemData(row, ID_ROLE) not in nodes:
                self.combo_box.removeItem(row)
        first = self._rows.first_node()
        for position, node in enumerate(nodes.values()):
            if self._rows.row_of(node.GetID()) < 0:
                self._insert(node, first + position)

    def _insert(self, node: Any, row: int | None = None) -> None:
        item = QStandardItem(node.GetName() or "")
        item.setData(node.GetID(), ID_ROLE)
        self.combo_box.model().insertRow(self._rows.first_action() if row is None else row, item)
        self._observations.append(observe(node, vtk.vtkCommand.ModifiedEvent, self._on_node_modified))
        self.nodeAdded.emit(node)

    # Rows that are no nodes.

    def _rebuild(self) -> None:
        was_blocked = self.combo_box.blockSignals(True)
        self.combo_box.clear()
        self._rows.update_none()
        self._rows.update_actions()
        self.combo_box.blockSignals(was_blocked)
        for node in self._nodes():
            self._insert(node)
        if self.combo_box.currentIndex() < 0 and self.nodeCount():
            self.combo_box.setCurrentIndex(0)

    # Nodes.

    def currentNode(self) -> Any:  # noqa: N802
        return self._rows.node_at(self.combo_box.currentIndex())

    def currentNodeID_(self) -> str:  # noqa: N802
        node = self.currentNode()
        return node.GetID() if node is not None else ""

    def nodeCount(self) -> int:  # noqa: N802
        return sum(bool(self.combo_box.itemData(row, ID_ROLE)) for row in range(self.combo_box.count()))

    def nodeFromIndex(self, index: int) -> Any:  # noqa: N802
        return self._rows.node_at(index + self._rows.first_node())

    def setCurrentNode(self, node: Any) -> None:  # noqa: N802
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:  # noqa: N802
        if self._scene is None:
            self._requested = node_id or ""
        row = self._rows.row_of(node_id)
        self.combo_box.setCurrentIndex(row if row >= 0 else self._rows.nothing())

    def setCurrentNodeIndex(self, index: int) -> None:  # noqa: N802
        index = -1 if index >= self.nodeCount() else index
        self.combo_box.setCurrentIndex(index + self._rows.first_node())

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:  # noqa: N802
        self._factory_attributes[name] = "" if value is None else str(value)
        self.filter.attributes[node_type] = (name, value)
        self._synchronize()

    def removeAttribute(self, node_type: str, name: str) -> None:  # noqa: N802
        self._factory_attributes.pop(name, None)
        self.filter.attributes.pop(node_type, None)
        self._synchronize()

    def emitCurrentNodeChanged(self, *_: object) -> None:  # noqa: N802
        index, node = self.combo_box.currentIndex(), self.currentNode()
        if node is None and index != self._rows.nothing():
            last = self.nodeFromIndex(self.nodeCount() - 1)
            if last is not None:
                self.setCurrentNode(last)
            return
        self.currentNodeChanged.emit(node)
        self.currentNodeIsValid.emit(node is not None)
        self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def emitNodeActivated(self, index: int) -> None:  # noqa: N802
        node = self._rows.node_at(index)
        if node is not None or (index == self._rows.nothing() == 0):
            self.nodeActivated.emit(node)

    # Properties.

    def _set_filter(self, name: str, value: Any) -> None:
        setattr(self.filter, name, list(value) if isinstance(value, (list, tuple)) else value)
        self._synchronize()
        self._rows.update_actions()

    def _set_types(self, types: list[str]) -> None:
        self._rows.node_types = [name for name in types if name]
        self._set_filter("node_types", self._rows.node_types)

    def _set_has(self, name: str, value: bool) -> None:
        if self._rows.has[name] != value:
            self._rows.has[name] = value
            self._rows.update_none()
            self._rows.update_actions()

    def _set_none_display(self, text: str) -> None:
        self._rows.none_display = text
        self._rows.update_none()

    def _set_base_name(self, name: str) -> None:
        self._base_names.update(dict.fromkeys(self.filter.node_types, name))

    def _switch(name: str) -> Property:  # noqa: N805
        return Property(bool, lambda self: self._rows.has[name], lambda self, value: self._set_has(name, value))

    def _filtering(name: str, kind: type | str) -> Property:  # noqa: N805
        return Property(kind, lambda self: getattr(self.filter, name), lambda self, value: self._set_filter(name, value))

    currentNodeID = Property(str, currentNodeID_, setCurrentNodeID)  # noqa: N815
    nodeTypes = Property("QStringList", lambda self: self.filter.node_types, _set_types)  # noqa: N815
    showHidden = _filtering("show_hidden", bool)  # noqa: N815
    showChildNodeTypes = _filtering("show_child_node_types", bool)  # noqa: N815
    hideChildNodeTypes = _filtering("hide_child_node_types", "QStringList")  # noqa: N815
    baseName = Property(str, lambda self: next(iter(self._base_names.values()), ""), _set_base_name)  # noqa: N815
    noneDisplay = Property(str, lambda self: self._rows.none_display, _set_none_display)  # noqa: N815
    noneEnabled = _switch("noneEnabled")  # noqa: N815
    addEnabled = _switch("addEnabled")  # noqa: N815
    removeEnabled = _switch("removeEnabled")  # noqa: N815
    editEnabled = _switch("editEnabled")  # noqa: N815
    renameEnabled = _switch("renameEnabled")  # noqa: N815
    selectNodeUponCreation = Property(bool, lambda self: self._select_new, lambda self, value: setattr(self, "_select_new", value))  # noqa: N815
    sizeAdjustPolicy = Property(  # noqa: N815
        int,
        lambda self: self.combo_box.sizeAdjustPolicy().value,
        lambda self, policy: self.combo_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy(policy)),
    )
