"""Combo boxes whose entries come from a model: filled when they change, and kept the same as a parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Choice:
    """Keeps a QComboBox and a text parameter the same. Where the parameter names nothing that is offered, the first entry counts."""

    def __init__(self, combo_box: Any, parameters: Callable[[], Any], parameter: str) -> None:
        """`parameters` gives the parameter node that is shown; None while none is."""
        self._combo_box, self._parameters, self._parameter = combo_box, parameters, parameter
        combo_box.connect("currentIndexChanged(int)", self._on_selected)

    @property
    def key(self) -> str:
        """What is shown as chosen; '' for the usual one."""
        return self._combo_box.itemData(self._combo_box.currentIndex) or ""

    def offer(self, entries: Sequence[tuple[str, str]]) -> None:
        """Offer entries, each a key and a title."""
        was_blocked = self._combo_box.blockSignals(True)
        try:
            if [self._combo_box.itemData(n) for n in range(self._combo_box.count)] != [key for key, _title in entries]:
                self._combo_box.clear()
                for key, title in entries:
                    self._combo_box.addItem(title, key)
            parameters = self._parameters()
            index = max(self._combo_box.findData(getattr(parameters, self._parameter)), 0) if parameters else 0
            if index != self._combo_box.currentIndex:
                self._combo_box.currentIndex = index
        finally:
            self._combo_box.blockSignals(was_blocked)

    def _on_selected(self, index: int) -> None:
        parameters = self._parameters()
        if parameters and index >= 0:
            setattr(parameters, self._parameter, self._combo_box.itemData(index))
