"""Which of the scene's nodes a node selector offers, as qMRMLSortFilterProxyModel decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class NodeFilter:
    """A node must be of one of the types, shown in editors, and have the attribute asked for of its type (the last one asked for)."""

    node_types: list[str] = field(default_factory=list)
    show_hidden: bool = False
    show_child_node_types: bool = True
    hide_child_node_types: list[str] = field(default_factory=list)
    attributes: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def accepts(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.show_hidden:
            return False
        return any(self._accepts_as(node, node_type) for node_type in self.node_types) or not self.node_types

    def _accepts_as(self, node: Any, node_type: str) -> bool:
        if not node.IsA(node_type):
            return False
        if not self.show_child_node_types and node.GetClassName() != node_type:
            return False
        if self.show_child_node_types and any(node.IsA(hidden) for hidden in self.hide_child_node_types):
            return False
        return node_type not in self.attributes or _has(node, *self.attributes[node_type])

    def depends_on_attributes_of(self, node: Any) -> bool:
        """Whether the selector looks again when the node changes; without attributes it does not, even when the node is hidden."""
        return any(node.IsA(node_type) for node_type in self.attributes)


def _has(node: Any, name: str, value: Any) -> bool:
    found = node.GetAttribute(name)
    return found is not None and (value is None or found == str(value))
