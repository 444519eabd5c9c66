"""The list of models in a combo box, tied to a parameter: models lie in folders, so their names come from there and not from the .ui file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deepseg.api import DeepSegError
from DeepSegLib.models import InstalledModel, ModelStore


class ModelSelector:
    """Keeps a QComboBox and the parameter `modelName` the same.

    Attributes:
        problem: one sentence where the models cannot be listed; else ''.
    """

    def __init__(self, combo_box: Any, store: ModelStore, parameters: Callable[[], Any]) -> None:
        """`parameters` gives the parameter node that is shown; None while none is."""
        self.problem = ""
        self._combo_box, self._store, self._parameters = combo_box, store, parameters
        self._models: list[InstalledModel] = []
        combo_box.connect("currentIndexChanged(int)", self._on_selected)

    @property
    def models(self) -> list[InstalledModel]:
        return self._models

    @property
    def chosen(self) -> InstalledModel | None:
        """The model that the parameters name, if it is there."""
        parameters = self._parameters()
        return self.named(parameters.modelName) if parameters else None

    def named(self, name: str) -> InstalledModel | None:
        return next((model for model in self._models if model.name == name), None)

    def fill(self) -> None:
        """Read the folders."""
        was_blocked = self._combo_box.blockSignals(True)
        try:
            self._combo_box.clear()
            self._models, self.problem = self._store.models(), ""
            for model in self._models:
                self._combo_box.addItem(model.card.title, model.name)
        except DeepSegError as error:
            self._models, self.problem = [], str(error)
        finally:
            self._combo_box.blockSignals(was_blocked)

    def update(self) -> None:
        """Show what the parameters name."""
        parameters = self._parameters()
        index = self._combo_box.findData(parameters.modelName) if parameters else -1
        if index != self._combo_box.currentIndex:
            was_blocked = self._combo_box.blockSignals(True)
            self._combo_box.currentIndex = index
            self._combo_box.blockSignals(was_blocked)

    def _on_selected(self, index: int) -> None:
        parameters = self._parameters()
        if parameters and index >= 0:
            parameters.modelName = self._combo_box.itemData(index)
