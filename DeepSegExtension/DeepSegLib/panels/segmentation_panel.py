"""What the panel of DeepSeg Segmentation does with its widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from deepseg.api import DeepSegError, RegionError
from DeepSegLib.models import ModelStore
from DeepSegLib.panels.help import HelpSection
from DeepSegLib.panels.inputs import chosen_volumes, first_volume, show_inputs
from DeepSegLib.panels.model_card import card_text
from DeepSegLib.panels.model_manager import ModelManager
from DeepSegLib.panels.model_selector import ModelSelector
from DeepSegLib.panels.preview import PreviewControls
from DeepSegLib.panels.run_controls import RunControls, installer
from DeepSegLib.panels.watch import Watch
from DeepSegLib.runs.run import Run
from DeepSegLib.scene.display import box_in_view, show_segmentation, shows_in_3d
from DeepSegLib.scene.names import free_name
from DeepSegLib.scene.origin import input_volumes
from DeepSegLib.scene.sequences import frame_count
from DeepSegLib.translation import _


class Logic(Protocol):
    """The module's logic, as far as the panel needs it."""

    scene: Any

    def start(self, volumeNodes: Any, model: Any, **choices: Any) -> Run: ...
    def preview(self, volumeNodes: Any, model: Any, **choices: Any) -> Run: ...


class SegmentationPanel:
    """Connects the widgets in `ui` to runs of `logic`.

    Attributes:
        parameters: the parameter node whose choices are shown; None while the module is not shown.
        controls: Apply, Cancel, Undo and the status line.
    """

    def __init__(self, ui: Any, logic: Logic, store: ModelStore, confirm: Callable[[str], bool], open_module: Callable[[str, Any], None]) -> None:
        """`confirm` asks the user a question; `open_module` shows another module with a segmentation."""
        from qt import QTimer

        self.parameters: Any = None
        self._ui, self._logic, self._open_module = ui, logic, open_module
        self._selector = ModelSelector(ui.modelSelector, store, lambda: self.parameters)
        self._manager = ModelManager(ui, QTimer(), store, confirm, self._on_models_changed)
        self._preview = PreviewControls(ui, QTimer(), lambda: self.parameters, self._asked, self.update)
        self.controls = RunControls(ui, QTimer(), confirm, installer(confirm, store), self._start, self._done, self.update)
        self._watch = Watch(QTimer(), self.update)
        HelpSection(ui, _("Choose a volume and a model, draw a region of interest where the model asks for one, and press Apply."))
        ui.viewRegionButton.connect("clicked(bool)", self._on_view_region)
        ui.roiSelector.connect("nodeAddedByUser(vtkMRMLNode*)", self._on_region_added)
        ui.reviewButton.connect("clicked(bool)", lambda checked=False: self._open("DeepSegUncertainty"))
        ui.explainButton.connect("clicked(bool)", lambda checked=False: self._open("DeepSegExplanation"))
        self.update()

    def complete(self, parameters: Any) -> None:
        """Choose the scene's first volume and the first model where nothing is chosen yet."""
        self._selector.fill()
        self._manager.fill()
        first_volume(parameters, self._logic.scene)
        models = self._selector.models
        if models and self._selector.named(parameters.modelName) is None and not parameters.modelName:
            parameters.modelName = models[0].name

    def show(self, parameters: Any) -> None:
        self.parameters = parameters
        if parameters is None:
            self._watch.follow(None)
        self.update()

    def update(self) -> None:
        self._selector.update()
        model, parameters = self._selector.chosen, self.parameters
        show_inputs(self._ui, model.card if model else None)
        self._ui.modelCardLabel.text = card_text(model) if model else self._selector.problem
        frames = frame_count(self._logic.scene, parameters.inputVolume) if parameters else 0
        self._ui.wholeSequenceCheckBox.visible = frames > 1
        self._ui.wholeSequenceCheckBox.text = _("All {count} time points of the sequence").format(count=frames)
        # Of a whole sequence segments alone are made.
        self._ui.withUncertaintyCheckBox.visible = not (frames > 1 and parameters.wholeSequence)
        output = parameters.outputSegmentation if parameters else None
        self._ui.show3DButton.setSegmentationNode(output)  # which also enables it, once there are segments
        made = bool(output and input_volumes(output))
        self._ui.reviewButton.enabled = made
        self._ui.explainButton.enabled = made
        if parameters:
            self._watch.follow(parameters.regionOfInterest)
            self._preview.update()
            self._ui.forecastLabel.text = self._preview.forecast
            self._tell_what_is_unusual()
            self.controls.let_apply(self._obstacle(), _("Segment the volume."))

    def stop(self, message: str) -> None:
        self._preview.stop()
        self._manager.stop()
        self.controls.stop(message)

    def forget(self) -> None:
        self._preview.forget()
        self.controls.forget()

    def _obstacle(self) -> str:
        """What keeps a run from starting; '' for nothing."""
        model = self._selector.chosen
        if model is None:
            name = self.parameters.modelName
            return _("The model '{name}' is not installed here; choose another.").format(name=name) if name else _("Choose a model first.")
        if model.card.problem:
            return model.card.problem
        try:
            chosen_volumes(self.parameters, model.card)
        except DeepSegError as error:
            return str(error)
        return ""

    def _tell_what_is_unusual(self) -> None:
        told = self._preview.told
        warnings = [finding.told for finding in told.findings] if told else []
        if told and not told.fits:
            warnings.append(_("The run may not fit into memory; choose a smaller region."))
        text = self._preview.problem or " ".join(warnings)
        self._ui.warningLabel.text = f"\N{WARNING SIGN} {text}" if text else ""

    def _choices(self) -> dict[str, Any]:
        chosen = self.parameters or self._logic.getParameterNode()
        return {
            "outputNode": _output_of(chosen),
            "region": chosen.regionOfInterest,
            "uncertainty": chosen.withUncertainty,
            "device": self._preview.device,
            "wholeSequence": chosen.wholeSequence and frame_count(self._logic.scene, chosen.inputVolume) > 1,
        }

    def _asked(self) -> tuple[Any, Callable[[], Run]] | None:
        model = self._selector.chosen
        if not self.parameters or self._obstacle() or self.controls.running:
            return None
        volumes, choices = chosen_volumes(self.parameters, model.card), self._choices()
        region = choices["region"]
        if region is not None and not region.GetNumberOfDefinedControlPoints():
            return None
        about = {name: choices[name] for name in ("region", "uncertainty", "device")}
        key = (*((node.GetID(), node.GetMTime()) for node in volumes), str(model.folder), region and (region.GetID(), region.GetMTime()))
        return (key, choices["uncertainty"], choices["device"]), lambda: self._logic.preview(volumes, model.folder, **about)

    def _start(self) -> Run:
        chosen = self.parameters or self._logic.getParameterNode()
        self._preview.stop()
        model = self._selector.named(chosen.modelName)
        if model is None:
            raise DeepSegError(_("Choose a volume and a model first."))
        return self._logic.start(chosen_volumes(chosen, model.card), model.folder, **self._choices())

    def _done(self, run: Run) -> str:
        node = run.result
        self._logic.getParameterNode().outputSegmentation = node
        show_segmentation(node, in_3d=True)
        told = _("Done: '{name}'.").format(name=node.GetName())
        return told if shows_in_3d(node) else told + " " + _("No segment has a voxel, so there is nothing to show in 3D.")

    def _on_models_changed(self, name: str | None) -> None:
        """`name` is a new model that the user wants to use."""
        self._selector.fill()
        if name and self.parameters:
            self.parameters.modelName = name
        self.update()

    def _on_view_region(self, checked: bool = False) -> None:
        volume = self.parameters.inputVolume if self.parameters else None
        box = box_in_view(self._logic.scene, volume) if volume else None
        if box is None:
            error = RegionError(_("The slice views show nothing of the volume. Show it there first, then zoom in on what is to be segmented."))
            self.controls.tell(str(error), failed=True)
            return
        node = self.parameters.regionOfInterest
        if node is None or not _is_upright(node):  # one that is turned, or moved by a transform, is the user's own
            node = self._logic.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", free_name(self._logic.scene, _("Region of interest")))
        _set_region(node, box.minimum_ras, box.maximum_ras)
        self.parameters.regionOfInterest = node
        self.controls.tell("")

    def _on_region_added(self, node: Any) -> None:
        """A new region starts as the whole volume; the user draws it smaller by its handles."""
        volume = self.parameters.inputVolume if self.parameters else None
        if volume and not node.GetNumberOfControlPoints():
            bounds = [0.0] * 6
            volume.GetRASBounds(bounds)
            _set_region(node, bounds[::2], bounds[1::2])

    def _open(self, module: str) -> None:
        self._open_module(module, self._logic.getParameterNode().outputSegmentation)


def _is_upright(node: Any) -> bool:
    """Whether a region's axes are the patient's, and no transform moves it."""
    matrix = node.GetObjectToNodeMatrix()
    turned = any(abs(matrix.GetElement(i, j) - (i == j)) > 1e-6 for i in range(3) for j in range(3))
    return not turned and node.GetTransformNodeID() is None


def _set_region(node: Any, low: Any, high: Any) -> None:
    """Let a region be a box whose corners (RAS, mm) are given."""
    node.SetCenter([(a + b) / 2 for a, b in zip(low, high, strict=True)])
    node.SetSize([b - a for a, b in zip(low, high, strict=True)])
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()


def _output_of(chosen: Any) -> Any:
    """The chosen segmentation; None, which makes a new one, where it holds the result for another volume, so that nothing of that is lost."""
    made_from = input_volumes(chosen.outputSegmentation) if chosen.outputSegmentation else []
    other = made_from and chosen.inputVolume and made_from[0].GetID() != chosen.inputVolume.GetID()
    return None if other else chosen.outputSegmentation
