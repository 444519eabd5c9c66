"""The layout manager as far as nodes go: real slice logics for Red, Yellow and Green, the real layout node; nothing is rendered."""

from __future__ import annotations

from typing import Any

import slicer

from panels.slicer_stand_in.session import NotInStandIn

_SLICES = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


class qMRMLSliceWidget:  # noqa: N801
    """A slice view's widget."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def sliceLogic(self) -> Any:  # noqa: N802
        return self._logic

    def mrmlSliceNode(self) -> Any:  # noqa: N802
        return self._logic.GetSliceNode()

    def fitSliceToBackground(self) -> None:  # noqa: N802
        self._logic.FitSliceToBackground()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"qMRMLSliceWidget has no attribute named '{name}' in the stand-in")


class qSlicerLayoutManager:  # noqa: N801
    """slicer.app.layoutManager()."""

    def __init__(self, scene: Any, application_logic: Any) -> None:
        self._scene = scene
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self._widgets = {name: qMRMLSliceWidget(_slice_logic(name, scene, application_logic)) for name in _SLICES}

    def layoutLogic(self) -> Any:  # noqa: N802
        return self._logic

    @property
    def layout(self) -> int:
        return self._logic.GetLayoutNode().GetViewArrangement()

    @layout.setter
    def layout(self, arrangement: int) -> None:
        self.setLayout(arrangement)

    def setLayout(self, arrangement: int) -> None:  # noqa: N802
        self._logic.GetLayoutNode().SetViewArrangement(arrangement)

    def sliceViewNames(self) -> tuple[str, ...]:  # noqa: N802
        return tuple(_SLICES)

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:  # noqa: N802
        return self._widgets.get(name)

    def resetSliceViews(self) -> None:  # noqa: N802
        for widget in self._widgets.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:  # noqa: N802
        """No view is rendered."""

    def __getattr__(self, name: str) -> Any:
        if name in ("threeDWidget", "plotWidget", "tableWidget", "threeDViewCount"):
            raise NotInStandIn(f"qSlicerLayoutManager.{name}")
        raise AttributeError(f"qSlicerLayoutManager has no attribute named '{name}'")


def _slice_logic(name: str, scene: Any, application_logic: Any) -> Any:
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(scene)
    node = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
    if node is None:
        logic.AddSliceNode(name)
    else:
        logic.SetSliceNode(node)
    logic.GetSliceNode().SetName(name)
    logic.GetSliceNode().SetOrientation(_SLICES[name])
    application_logic.GetSliceLogics().AddItem(logic)
    return logic
