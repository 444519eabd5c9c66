"""Steps of DeepSegSegmentationTest, run inside Slicer: the panel, a segmentation that is saved and loaded, a cancelled run."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import TestCase

import numpy as np

from DeepSegLib import dependencies

MODEL = "hippocampus-mr"
Step = Callable[[TestCase, Any], None]


def runnable_steps() -> list[Step]:
    """The steps that this Slicer can run. Without PyTorch only the panel can be tested, and the log says so."""
    missing = dependencies.missing_packages()
    if missing:
        logging.warning("DeepSegSegmentationTest: segmentation is NOT tested, because packages are missing: %s", ", ".join(missing))
        return [panel_lists_models, run_is_refused_in_words]
    return [panel_lists_models, segment_save_and_load, cancel_leaves_the_scene_as_it_was]


def panel_lists_models(test: TestCase, logic: Any) -> None:
    """The panel lists the models, and Apply waits for a volume."""
    import slicer

    slicer.util.selectModule("DeepSegSegmentation")
    widget = slicer.modules.deepsegsegmentation.widgetRepresentation().self()
    test.assertGreaterEqual(widget.ui.modelSelector.findData(MODEL), 0)
    test.assertFalse(widget.ui.applyButton.enabled)
    a_volume_node()
    widget.initializeParameterNode()
    test.assertTrue(widget.ui.applyButton.enabled)


def run_is_refused_in_words(test: TestCase, logic: Any) -> None:
    """Without PyTorch a scripted run names what is missing, installs nothing and asks nothing."""
    with test.assertRaisesRegex(dependencies.DependencyError, "needs Python packages that Slicer does not have yet"):
        logic.segment(a_volume_node(), MODEL)


def segment_save_and_load(test: TestCase, logic: Any) -> None:
    """A segmented scene gives everything back after it was saved and loaded."""
    import slicer

    volume_node = a_volume_node()
    roi_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi_node.SetCenter(0, 0, 0)
    roi_node.SetSize(34, 46, 34)
    node = logic.segment(volume_node, MODEL, roiNode=roi_node)
    names = segment_names(node)
    test.assertEqual(names, ["Anterior hippocampus", "Posterior hippocampus"])
    test.assertEqual(node.GetNodeReferenceID("DeepSeg.InputVolume"), volume_node.GetID())
    sha256 = node.GetAttribute("DeepSeg.ModelSha256")
    test.assertEqual(len(sha256), 64)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "DeepSegSegmentationTest.mrb"
        test.assertTrue(slicer.util.saveScene(str(path)))
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(str(path))
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    test.assertEqual(segment_names(node), names)
    test.assertEqual(node.GetAttribute("DeepSeg.ModelSha256"), sha256)
    test.assertEqual(node.GetNodeReference("DeepSeg.InputVolume").GetName(), "DeepSegTest")


def cancel_leaves_the_scene_as_it_was(test: TestCase, logic: Any) -> None:
    """A cancelled run adds nothing to the scene."""
    import slicer

    run = logic.start(a_volume_node(), MODEL)
    run.poll()
    run.cancel()
    test.assertFalse(run.poll())
    test.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)


def a_volume_node() -> Any:
    """A bright bent rod in noise, about as large as a hippocampus, in the middle of the scene."""
    import slicer

    from deepseg.api import Geometry, Volume
    from DeepSegLib.nodes import node_from_volume

    i, j, k = np.indices((40, 56, 40)) - np.array([20, 28, 20]).reshape(3, 1, 1, 1)
    rod = (i**2 + (k - j**2 / 60.0) ** 2 < 30) & (abs(j) < 20)
    array = 100 + 40 * rod + np.random.default_rng(0).normal(0, 6, rod.shape)
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3, 3] = (-20, -28, -20)
    return node_from_volume(slicer.mrmlScene, Volume(array.astype(np.float32)[np.newaxis], Geometry(rod.shape, ijk_to_ras), name="DeepSegTest"))


def segment_names(node: Any) -> list[str]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]
