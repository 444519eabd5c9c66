"""What the panel of DeepSeg Segmentation does with its widgets: one run at a time, its progress and its end in words.

The widgets come from DeepSegSegmentation.ui. Errors are shown in the panel's status line and never as a window of their own, so that
a scripted run of the panel cannot hang on one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from deepseg.api import DeepSegError, Progress
from DeepSegLib import dependencies
from DeepSegLib.models import InstalledModel, installed_models
from DeepSegLib.nodes import input_volume
from DeepSegLib.segmentation_run import SegmentationRun

POLL_INTERVAL_MS = 100
_FAILED_STYLE = "color: #c0392b; font-weight: bold"


class Logic(Protocol):
    """The module's logic, as far as the panel needs it."""

    def getParameterNode(self) -> Any: ...
    def start(self, volumeNode: Any, modelName: str, outputNode: Any = None, roiNode: Any = None) -> SegmentationRun: ...


class SegmentationPanel:
    """Connects the widgets in `ui` to runs of `logic`.

    Attributes:
        parameters: the parameter node whose choices are shown; None while the module is not shown.
    """

    def __init__(self, ui: Any, logic: Logic, timer: Any, confirm: Callable[[str], bool]) -> None:
        """`timer` is a QTimer that nobody else uses; `confirm` asks the user a question, as before an installation."""
        self.parameters: Any = None
        self._ui, self._logic, self._timer, self._confirm = ui, logic, timer, confirm
        self._models: list[InstalledModel] = []
        self._run: SegmentationRun | None = None
        self._installing = False
        timer.setInterval(POLL_INTERVAL_MS)
        timer.connect("timeout()", self._on_timer)
        ui.applyButton.connect("clicked(bool)", self._on_apply)
        ui.cancelButton.connect("clicked(bool)", self._on_cancel)
        ui.modelSelector.connect("currentIndexChanged(int)", self._on_model_selected)
        ui.roiSelector.connect("nodeAddedByUser(vtkMRMLNode*)", self._on_region_added)
        ui.outputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_output_changed)
        self._show_idle("")

    @property
    def running(self) -> bool:
        return self._run is not None

    def list_models(self) -> None:
        """Fill the list of models."""
        selector = self._ui.modelSelector
        was_blocked = selector.blockSignals(True)
        try:
            selector.clear()
            self._models = installed_models()
            for model in self._models:
                selector.addItem(model.title, model.name)
        except DeepSegError as error:
            self._models = []
            self._show_idle(str(error), failed=True)
        finally:
            selector.blockSignals(was_blocked)

    def show(self, parameters: Any) -> None:
        """Show a parameter node's choices, completing them where nothing is chosen yet; None where there is none."""
        self.parameters = parameters
        if parameters and self._models and parameters.modelName not in [model.name for model in self._models]:
            parameters.modelName = self._models[0].name
        self.update()

    def update(self) -> None:
        """Show the chosen model, and whether a run can start."""
        if not self.parameters:
            return
        index = self._ui.modelSelector.findData(self.parameters.modelName)
        if index != self._ui.modelSelector.currentIndex:
            self._ui.modelSelector.currentIndex = index
        chosen = [model for model in self._models if model.name == self.parameters.modelName]
        self._ui.modelSummaryLabel.text = f"{chosen[0].summary} {chosen[0].intended_use}" if chosen else ""
        ready = bool(self.parameters.inputVolume and chosen)
        self._ui.applyButton.enabled = ready and not self.running and not self._installing
        self._ui.applyButton.toolTip = "Segment the volume." if ready else "Choose a volume and a model first."

    def stop(self, message: str) -> None:
        """Cancel the run, if there is one, and say why."""
        self._timer.stop()
        if self._run:
            run, self._run = self._run, None
            run.cancel()
            self._show_idle(message)

    def _on_apply(self, checked: bool = False) -> None:
        chosen = self._logic.getParameterNode()
        try:
            self._install()
            if not chosen.inputVolume:
                raise DeepSegError("Choose a volume and a model first.")
            self._run = self._logic.start(chosen.inputVolume, chosen.modelName, _output_of(chosen), chosen.regionOfInterest)
        except DeepSegError as error:
            self._show_idle(str(error), failed=True)
            return
        self._ui.applyButton.enabled = False
        self._ui.cancelButton.enabled = True
        self._ui.progressBar.visible = True
        self._show_progress(self._run.progress)
        self._timer.start()

    def _install(self) -> None:
        """Install what is missing. Qt's events go on meanwhile: Apply waits, and the scene may be another one afterwards."""
        self._installing = True
        try:
            self._show_idle("Looking for the Python packages a run needs. The Python console shows an installation.")
            self._ui.applyButton.enabled = False
            dependencies.install(self._confirm)
        finally:
            self._installing = False
            self._show_idle("")

    def _on_cancel(self, checked: bool = False) -> None:
        self.stop("Cancelled. The scene is as it was.")

    def _on_timer(self) -> None:
        if self._run is None:
            self._timer.stop()
            return
        try:
            goes_on = self._run.poll()
        except Exception as error:  # a defect; without an end of the run the timer would raise it again and again
            self.stop("")
            self._show_idle(f"The run stopped on an unexpected error ({error}). The Python console shows it.", failed=True)
            raise
        if goes_on:
            self._show_progress(self._run.progress)
            return
        run, self._run = self._run, None
        self._timer.stop()
        if run.node:
            self._logic.getParameterNode().outputSegmentation = run.node
            self._show_idle(" ".join([f"Done: {run.node.GetName()}", *run.notes]))
        else:
            self._show_idle(run.error or "", failed=True)

    def _on_model_selected(self, index: int) -> None:
        if self.parameters and index >= 0:
            self.parameters.modelName = self._ui.modelSelector.itemData(index)

    def _on_region_added(self, node: Any) -> None:
        """A new region starts as the whole volume; the user draws it smaller by its handles."""
        volume_node = self.parameters.inputVolume if self.parameters else None
        if not volume_node or node.GetNumberOfControlPoints():
            return
        bounds = [0.0] * 6
        volume_node.GetRASBounds(bounds)
        node.SetCenter([(bounds[low] + bounds[low + 1]) / 2 for low in (0, 2, 4)])
        node.SetSize([bounds[low + 1] - bounds[low] for low in (0, 2, 4)])
        node.CreateDefaultDisplayNodes()

    def _on_output_changed(self, node: Any) -> None:
        self._ui.show3DButton.setSegmentationNode(node)  # which also enables it, once there are segments

    def _show_progress(self, progress: Progress) -> None:
        left = "" if progress.seconds_left is None else f", about {max(round(progress.seconds_left), 1)} s left"
        self._ui.progressBar.value = round(100 * progress.fraction)
        self._ui.statusLabel.styleSheet = ""
        self._ui.statusLabel.text = f"{progress.stage[:1].upper()}{progress.stage[1:]}{left}"

    def _show_idle(self, message: str, failed: bool = False) -> None:
        self._ui.cancelButton.enabled = False
        self._ui.progressBar.visible = False
        self._ui.statusLabel.styleSheet = _FAILED_STYLE if failed else ""
        self._ui.statusLabel.text = message
        self.update()


def _output_of(chosen: Any) -> Any:
    """The chosen segmentation; None, which makes a new one, where it holds the result for another volume, so that nothing of that is lost."""
    made_from = input_volume(chosen.outputSegmentation) if chosen.outputSegmentation else None
    return None if made_from and made_from.GetID() != chosen.inputVolume.GetID() else chosen.outputSegmentation
