"""Slicer's own modules: real logics, as far as slicer-core has them, and no panels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import slicer

from panels.slicer_stand_in.session import NotInStandIn

CORE_LOGICS = {
    "Colors": None,
    "Data": None,
    "Markups": None,
    "Segmentations": None,
    "SubjectHierarchy": None,
    "Terminologies": None,
    "Volumes": None,
    "VolumeRendering": None,
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Units": "vtkSlicerUnitsLogic",
    "SampleData": "",
    "SegmentEditor": "",
}
"""The class of a module's logic: None where the application already has one, nothing for a module that exists by name only."""


class CoreModule:
    """One of Slicer's own modules: its name, and its real logic where slicer-core has it."""

    def __init__(self, name: str, logic_class: str | None) -> None:
        self.name, self.title, self._logic_class, self._logic = name, name, logic_class, None

    def logic(self) -> Any:
        application_logic = slicer.app.applicationLogic()
        if self._logic is None:
            self._logic = application_logic.GetModuleLogic(self.name)
        if self._logic is None and self._logic_class:
            self._logic = getattr(slicer, self._logic_class)()
            self._logic.SetMRMLScene(slicer.mrmlScene)
            self._logic.SetMRMLApplicationLogic(application_logic)
            application_logic.SetModuleLogic(self.name, self._logic)
        if self._logic is None:
            raise NotInStandIn(f"the logic of the module {self.name}")
        return self._logic

    def widgetRepresentation(self) -> Any:  # noqa: N802
        if self.name != "SegmentEditor":
            raise NotInStandIn(f"the panel of the module {self.name}")
        if not hasattr(self, "_panel"):
            self._panel = SimpleNamespace(self=_constant(SegmentEditorWidget()))
        return self._panel


class SegmentEditorWidget:
    """A mock of the segment editor's panel: its editor widget and nothing else."""

    def __init__(self) -> None:
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMRMLScene(slicer.mrmlScene)


def _constant(value: Any) -> Any:
    return lambda: value
