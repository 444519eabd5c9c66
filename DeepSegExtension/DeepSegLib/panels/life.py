"""A panel between entering and leaving its module, and through the closing of scenes: the same for each module."""

from __future__ import annotations

from typing import Any, Protocol

from DeepSegLib import worker_pool
from DeepSegLib.panels.run_controls import RunControls
from DeepSegLib.translation import _


class Panel(Protocol):
    """What a module's widget needs of its panel."""

    controls: RunControls

    def complete(self, parameters: Any) -> None:
        """Choose what can be chosen for the user: the first volume, the first model."""

    def show(self, parameters: Any) -> None:
        """Show a parameter node's choices; None while the module is not shown."""

    def update(self) -> None:
        """Show what the choices mean, and whether a run can start."""

    def stop(self, message: str) -> None:
        """Cancel what runs, and say why."""

    def forget(self) -> None:
        """The scene is another one."""


class PanelLife:
    """Tells a panel when it is entered, left, and when the scene closes; called by the module's widget."""

    def __init__(self, widget: Any, panel: Panel) -> None:
        """`widget` is the module's ScriptedLoadableModuleWidget with VTKObservationMixin; its `ui` and `logic` are set."""
        import slicer

        self._widget, self._panel = widget, panel
        self._parameters: Any = None
        self._tag: Any = None
        self._scene = scene = slicer.mrmlScene
        widget.addObserver(scene, scene.StartCloseEvent, self._on_scene_start_close)
        widget.addObserver(scene, scene.EndCloseEvent, self._on_scene_end_close)
        # While a scene is loaded the selectors choose other nodes, which must not be taken for the user's choice.
        widget.addObserver(scene, scene.StartImportEvent, self._on_scene_start_import)
        widget.addObserver(scene, scene.EndImportEvent, self._on_scene_end_close)

    def enter(self) -> None:
        parameters = self._widget.logic.getParameterNode()
        self._panel.complete(parameters)
        self._bind(parameters)

    def exit(self) -> None:
        """A run goes on while another module is shown; only the widgets let go of the parameters."""
        self._bind(None)

    def cleanup(self) -> None:
        self._panel.stop("")
        self._bind(None)
        self._widget.removeObservers()

    def _bind(self, parameters: Any) -> None:
        import vtk

        if self._parameters:
            self._parameters.disconnectGui(self._tag)
            self._tag = None
            self._widget.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters_changed)
        self._parameters = parameters
        if parameters:
            # connectGui does the same, but before Slicer 5.10 it returns no tag, so that nothing could be disconnected.
            bound = {name: widget for widget in vars(self._widget.ui).values() if (name := widget.property("SlicerParameterName"))}
            self._tag = parameters.connectParametersToGui(bound)
            self._widget.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters_changed)
        self._panel.show(parameters)

    def _on_parameters_changed(self, caller: Any = None, event: Any = None) -> None:
        # While a scene is closed or loaded the nodes that parameters name are not all there; the end of it shows everything anew.
        if not self._scene.IsBatchProcessing():
            self._panel.update()

    def _on_scene_start_close(self, caller: Any, event: Any) -> None:
        was_running = self._panel.controls.running
        self._panel.stop(_("Stopped: the scene was closed."))
        self._panel.forget()
        if was_running:  # nobody waits for this worker any more; without a run it stays warm, as for scripts that go from scene to scene
            worker_pool.shared.close()
        self._bind(None)

    def _on_scene_start_import(self, caller: Any, event: Any) -> None:
        self._bind(None)

    def _on_scene_end_close(self, caller: Any, event: Any) -> None:
        if getattr(self._widget.parent, "isEntered", False):  # a panel in a window of its own is not entered
            self.enter()
