"""A combo box of maps and a slider: which map lies over its image, and how much of it is covered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from DeepSegLib.scene.display import fill, hide_overlay, outline, show_overlay
from DeepSegLib.translation import _

NO_MAP = ""


class Overlay:
    """Steers `mapSelector` and follows the parameters `shownMap` (a node's id) and `opacity`."""

    def __init__(self, ui: Any, scene: Any, parameters: Callable[[], Any]) -> None:
        """`parameters` gives the parameter node that is shown; None while none is."""
        self._ui, self._scene, self._parameters = ui, scene, parameters
        self._maps: list[tuple[str, Any]] = []
        self._laid: Any = None
        self._outlined: Any = None
        ui.mapSelector.connect("currentIndexChanged(int)", self._on_selected)

    @property
    def shown(self) -> Any:
        """The map that lies over its image; None while none does."""
        return next((node for _title, node in self._maps if node.GetID() == self._ui.mapSelector.itemData(self._ui.mapSelector.currentIndex)), None)

    def offer(self, maps: Sequence[tuple[str, Any]], below: Any, segmentation: Any) -> None:
        """Offer maps with their titles; one that is shown stays so.

        Args:
            maps: titles and nodes.
            below: the volume that they lie over.
            segmentation: what they speak of; shown by its outlines as long as a map lies under it, which it would cover.
        """
        self._below, self._segmentation = below, segmentation
        if [(title, node.GetID()) for title, node in maps] != [(title, node.GetID()) for title, node in self._maps]:
            self._maps = list(maps)
            was_blocked = self._ui.mapSelector.blockSignals(True)
            self._ui.mapSelector.clear()
            self._ui.mapSelector.addItem(_("No map") if maps else _("No map yet"), NO_MAP)
            for title, node in maps:
                self._ui.mapSelector.addItem(title, node.GetID())
            self._ui.mapSelector.blockSignals(was_blocked)
        parameters = self._parameters()
        index = max(self._ui.mapSelector.findData(parameters.shownMap), 0) if parameters else 0
        if index != self._ui.mapSelector.currentIndex:
            was_blocked = self._ui.mapSelector.blockSignals(True)
            self._ui.mapSelector.currentIndex = index
            self._ui.mapSelector.blockSignals(was_blocked)
        self._ui.opacitySlider.visible = self.shown is not None
        self._ui.opacitySliderLabel.visible = self.shown is not None
        self._lay()

    def renew(self) -> None:
        """Lay the map anew at the next offer: another module may have shown something else meanwhile."""
        self._laid = None

    def forget(self) -> None:
        """The scene is another one."""
        self._maps, self._laid, self._outlined = [], None, None
        self._ui.mapSelector.clear()

    def _lay(self) -> None:
        parameters, node = self._parameters(), self.shown
        if parameters is None:
            return
        wanted = (node.GetID(), parameters.opacity) if node else None
        if wanted == self._laid:
            return
        if self._laid and (not node or node.GetID() != self._laid[0]) and (before := self._scene.GetNodeByID(self._laid[0])):
            hide_overlay(self._scene, before)
        self._laid = wanted
        if self._outlined and (not node or self._outlined is not self._segmentation):
            fill(self._outlined)
            self._outlined = None
        if node:
            show_overlay(self._scene, self._below, node, parameters.opacity)
            outline(self._segmentation)
            self._outlined = self._segmentation

    def _on_selected(self, index: int) -> None:
        parameters = self._parameters()
        if parameters and index >= 0:
            parameters.shownMap = self._ui.mapSelector.itemData(index)
