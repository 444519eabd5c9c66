"""How a module's test runs its steps, and the data they need."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest import TestCase

import numpy as np

from DeepSegLib import dependencies

MODEL = "hippocampus-mr"
Step = Callable[[TestCase, Any], None]
_LONGEST_S = 600


def run_steps(test: TestCase, logic: Any, steps: Sequence[Step]) -> None:
    """Run steps, each in an empty scene. Without PyTorch only those can run that need no model, and the log says so."""
    missing = dependencies.missing_packages()
    for step in steps:
        if missing and getattr(step, "needs_model", False):
            logging.warning("%s: '%s' is NOT tested, because packages are missing: %s", type(test).__name__, step.__doc__, ", ".join(missing))
            continue
        test.setUp()
        test.delayDisplay(step.__doc__)
        step(test, logic)


def needs_model(step: Step) -> Step:
    """Mark a step that runs a model."""
    step.needs_model = True
    return step


def a_volume_node(name: str = "DeepSegTest") -> Any:
    """A bright bent rod in noise, about as large as a hippocampus, in the middle of the scene."""
    import slicer

    from deepseg.api import Geometry, Volume
    from DeepSegLib.nodes import node_from_volume

    i, j, k = np.indices((40, 56, 40)) - np.array([20, 28, 20]).reshape(3, 1, 1, 1)
    rod = (i**2 + (k - j**2 / 60.0) ** 2 < 30) & (abs(j) < 20)
    array = 100 + 40 * rod + np.random.default_rng(0).normal(0, 6, rod.shape)
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3, 3] = (-20, -28, -20)
    return node_from_volume(slicer.mrmlScene, Volume(array.astype(np.float32)[np.newaxis], Geometry(rod.shape, ijk_to_ras), name=name))


def panel_of(module: str) -> Any:
    """Show a module and return its widget, whose `ui` has the panel's widgets."""
    import slicer

    slicer.util.selectModule(module)
    return getattr(slicer.modules, module.lower()).widgetRepresentation().self()


def wait_until(test: TestCase, seen: Callable[[], bool], what: str) -> None:
    """Let Slicer go on until something is seen; fails after ten minutes."""
    import slicer

    end = time.monotonic() + _LONGEST_S
    while not seen():
        test.assertLess(time.monotonic(), end, f"waited for {what}")
        slicer.app.processEvents()
        time.sleep(0.01)


def nodes_in_scene() -> list[str]:
    """Names and classes of all nodes that a result could have added or removed."""
    import slicer

    classes = ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode")
    return sorted(f"{node.GetClassName()} {node.GetName()}" for name in classes for node in slicer.util.getNodesByClass(name))
