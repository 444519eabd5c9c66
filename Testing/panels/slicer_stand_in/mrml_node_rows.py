"""The rows of a node selector that are no nodes: 'None' before them, and after them what can be done (create, rename, delete)."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItem
from PySide6.QtWidgets import QComboBox

ID_ROLE = Qt.ItemDataRole.UserRole + 1
ACTION_ROLE = Qt.ItemDataRole.UserRole + 2


class NodeRows:
    """Keeps those rows of a combo box as they should be.

    Attributes:
        has: which of them there are, by the names of the selector's properties.
        labels: what types of nodes are called, where not by Slicer's own name.
    """

    def __init__(self, combo_box: QComboBox) -> None:
        self._box, self.scene, self.node_types = combo_box, None, []
        self.has = {"noneEnabled": False, "addEnabled": True, "removeEnabled": True, "editEnabled": False, "renameEnabled": False}
        self.none_display, self.labels = "None", {}

    def update_none(self) -> None:
        there = self._box.count() > 0 and self._box.itemData(0, ACTION_ROLE) == "none"
        wanted = self.has["noneEnabled"] and self.scene is not None
        if there and wanted:
            self._box.setItemText(0, self.none_display)
        elif there:
            self._box.removeItem(0)
        elif wanted:
            item = QStandardItem(self.none_display)
            item.setData("none", ACTION_ROLE)
            self._box.model().insertRow(0, item)

    def update_actions(self) -> None:
        """Without a change of what is chosen."""
        current = self._box.currentIndex()
        was_blocked = self._box.blockSignals(True)
        while self._box.count() > self.first_action():
            self._box.removeItem(self._box.count() - 1)
        for action, text in self._actions() if self.scene is not None else []:
            item = QStandardItem(text)
            item.setData(action, ACTION_ROLE)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self._box.model().appendRow(item)
        self._box.setCurrentIndex(current)
        self._box.blockSignals(was_blocked)
        self._box.setProperty("defaultText", f"Select a {self.label(self.node_types[0] if self.node_types else '')}")

    def first_action(self) -> int:
        """The row below the last node."""
        rows = range(self._box.count())
        return next((row for row in rows if self._box.itemData(row, ACTION_ROLE) not in (None, "none")), self._box.count())

    def first_node(self) -> int:
        return 1 if self.has["noneEnabled"] else 0

    def nothing(self) -> int:
        """The row that is current when no node is."""
        return 0 if self.has["noneEnabled"] else -1

    def row_of(self, node_id: str | None) -> int:
        return self._box.findData(node_id, ID_ROLE) if node_id else -1

    def node_at(self, row: int) -> Any:
        node_id = self._box.itemData(row, ID_ROLE) if row >= 0 else None
        return self.scene.GetNodeByID(node_id) if node_id and self.scene is not None else None

    def label(self, node_type: str) -> str:
        if self.labels.get(node_type):
            return self.labels[node_type]
        return (self.scene.GetTypeDisplayNameByClassName(node_type) if self.scene is not None and node_type else "") or "node"

    def _actions(self) -> list[tuple[str, str]]:
        label, has, rows = self.label(self.node_types[0] if len(self.node_types) == 1 else ""), self.has, []
        if has["renameEnabled"]:
            rows.append(("rename", f"Rename current {label}"))
        if has["editEnabled"]:
            rows.append(("edit", f"Edit current {label}"))
        for node_type in self.node_types if has["addEnabled"] else ():
            rows.append((f"create {node_type}", f"Create new {self.label(node_type)}"))
            if has["renameEnabled"]:
                rows.append((f"create-as {node_type}", f"Create new {self.label(node_type)} as..."))
        if has["removeEnabled"]:
            rows.append(("delete", f"Delete current {label}"))
        return [("separator", ""), *rows] if rows else []
