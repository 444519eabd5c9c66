"""Whose segmentation is looked at, and which model and volumes stand behind it: DeepSeg knows that of its own; of others the user says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deepseg.api import Box, DeepSegError
from DeepSegLib.models import InstalledModel, ModelStore
from DeepSegLib.nodes import box_from_roi
from DeepSegLib.panels.inputs import chosen_volumes, show_inputs
from DeepSegLib.panels.model_selector import ModelSelector
from DeepSegLib.scene.origin import Origin, input_volumes, origin_of
from DeepSegLib.translation import _


@dataclass(frozen=True)
class Subject:
    """What a run is about."""

    segmentation: Any
    volumes: list[Any]
    model: InstalledModel
    box: Box | None


class SubjectSelector:
    """Steers `segmentationSelector`, `originLabel`, and the rows that are asked for where DeepSeg does not know."""

    def __init__(self, ui: Any, store: ModelStore, parameters: Callable[[], Any]) -> None:
        """`parameters` gives the parameter node that is shown; None while none is."""
        self._ui, self._store, self._parameters = ui, store, parameters
        self._selector = ModelSelector(ui.modelSelector, store, parameters)

    def complete(self, parameters: Any, scene: Any) -> None:
        """Choose the scene's first segmentation, best one of DeepSeg's own, and the first model where nothing is chosen yet."""
        self._selector.fill()
        if not parameters.segmentation:
            nodes = scene.GetNodesByClass("vtkMRMLSegmentationNode")
            nodes.UnRegister(None)
            offered = [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]
            offered = sorted((node for node in offered if not node.GetHideFromEditors()), key=lambda node: not input_volumes(node))
            if offered:
                parameters.segmentation = offered[0]
        if not parameters.modelName and self._selector.models:
            parameters.modelName = self._selector.models[0].name

    def update(self) -> None:
        """Show what made the segmentation, or ask for it."""
        self._selector.update()
        parameters = self._parameters()
        node = parameters.segmentation if parameters else None
        try:
            origin, problem = (origin_of(node) if node else None), ""
        except DeepSegError as error:
            origin, problem = None, str(error)
        model = self._model_of(origin)
        known = bool(origin and model and len(input_volumes(node)) == max(len(model.card.inputs), 1))
        asked = bool(node) and not known and not problem
        card = model.card if model else self._selector.chosen.card if self._selector.chosen else None
        show_inputs(self._ui, card, shown=asked)
        for name in ("modelSelector", "modelSelectorLabel"):
            getattr(self._ui, name).visible = asked and model is None
        for name in ("roiSelector", "roiSelectorLabel"):
            getattr(self._ui, name).visible = asked and origin is None
        self._ui.originLabel.text = problem or self._told(node, origin, model)

    def subject(self) -> Subject:
        """What is chosen.

        Raises:
            DeepSegError: something is missing, was saved by a newer DeepSeg, or cannot be used.
        """
        parameters = self._parameters()
        node = parameters.segmentation if parameters else None
        if node is None:
            raise DeepSegError(_("Choose a segmentation first."))
        origin = origin_of(node)
        if origin:
            model, box = self._store.find(origin.model), origin.roi
        else:
            model = self._selector.chosen
            if model is None:
                raise DeepSegError(_("Choose a model first."))
            box = box_from_roi(parameters.regionOfInterest) if parameters.regionOfInterest else None
        if model.card.problem:
            raise DeepSegError(model.card.problem)
        volumes = input_volumes(node) if origin else []
        if len(volumes) != max(len(model.card.inputs), 1):
            volumes = chosen_volumes(parameters, model.card)
        return Subject(node, volumes, model, box)

    def _model_of(self, origin: Origin | None) -> InstalledModel | None:
        if origin is None:
            return None
        try:
            return self._store.find(origin.model)
        except DeepSegError:
            return None

    def _told(self, node: Any, origin: Origin | None, model: InstalledModel | None) -> str:
        if node is None:
            return ""
        if origin is None:
            return _("DeepSeg did not make this segmentation. Name its volume, and the model that is to be asked about it.")
        volumes = ", ".join(f"'{volume.GetName()}'" for volume in input_volumes(node)) or _("a volume that is no longer in the scene")
        title = model.card.title if model else origin.model
        told = _("Made by {model} from {volumes}.").format(model=title, volumes=volumes)
        return told if model else told + " " + _("That model is not installed here: import it in DeepSeg Segmentation, or ask another one.")
