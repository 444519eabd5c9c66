"""Nodes that a parameter names and a user changes by hand, as a region's handles: a parameter node does not tell when they move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_QUIET_MS = 150


class Watch:
    """Calls back a moment after the last change of the node it follows."""

    def __init__(self, timer: Any, changed: Callable[[], None]) -> None:
        """`timer` is a QTimer that nobody else uses."""
        self._timer, self._changed = timer, changed
        self._node: Any = None
        self._tag = 0
        # Kept: what only a node calls is collected as garbage once the node's Python object is gone.
        self._callback = self._on_modified
        timer.setInterval(_QUIET_MS)
        timer.connect("timeout()", self._on_timer)

    def follow(self, node: Any) -> None:
        """Follow this node from now on; none where None."""
        if node is self._node:
            return
        self._timer.stop()
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver("ModifiedEvent", self._callback)

    def _on_modified(self, caller: Any, event: Any) -> None:
        self._timer.start()

    def _on_timer(self) -> None:
        self._timer.stop()
        self._changed()
