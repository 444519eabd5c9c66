"""What a node selector's rows below the nodes do: create, rename, edit, delete."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex

from panels.slicer_stand_in.mrml_node_rows import ACTION_ROLE
from panels.slicer_stand_in.session import SESSION


class NodeActions:
    """Part of NodeComboBox."""

    def activateExtraItem(self, index: QModelIndex) -> None:  # noqa: N802
        """What a click on a row that is no node does."""
        action, _, node_type = str(self.combo_box.model().data(index, ACTION_ROLE) or "").partition(" ")
        if action == "create":
            node = self.addNode(node_type)
            self.setCurrentNode(node)
            self.nodeAddedByUser.emit(node)  # a second time, as Slicer 5.8.1 does
        elif action == "create-as":
            name = SESSION.ask(f"Create new {self.nodeTypeLabel(node_type)}")
            if name:
                node = self.addNode(node_type)
                node.SetName(name)
                self.setCurrentNode(node)
                self.nodeAddedByUser.emit(node)
        elif action == "delete":
            self.removeCurrentNode()
        elif action == "rename":
            self.renameCurrentNode()
        elif action == "edit":
            self.editCurrentNode()

    def addNode(self, node_type: str = "") -> Any:  # noqa: N802
        types = self.filter.node_types
        node_type = node_type or (types[0] if types else "")
        if node_type not in types:
            return None
        node = self._scene.CreateNodeByClass(node_type)
        node.UnRegister(None)
        base = self._base_names.get(node_type) or self._scene.GetTagByClassName(node_type)
        node.SetName(self._scene.GenerateUniqueName(base))
        for name, value in self._factory_attributes.items():
            node.SetAttribute(name, value)
        node = self._scene.AddNode(node)
        if self._select_new:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:  # noqa: N802
        if self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def renameCurrentNode(self) -> None:  # noqa: N802
        node = self.currentNode()
        name = SESSION.ask(f"Rename {self.nodeTypeLabel(node.GetClassName())}") if node is not None else None
        if name:
            node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def editCurrentNode(self) -> None:  # noqa: N802
        self.nodeAboutToBeEdited.emit(self.currentNode())

    def setNodeTypeLabel(self, label: str, node_type: str) -> None:  # noqa: N802
        self._rows.labels[node_type] = label
        self._rows.update_actions()

    def nodeTypeLabel(self, node_type: str) -> str:  # noqa: N802
        return self._rows.label(node_type)
