"""Steps of DeepSegSegmentationTest: a user's clicks, a script's calls, a saved scene, a cancelled run, wrong input."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase

from DeepSegLib import dependencies
from DeepSegLib.scene.segments import segment_names
from DeepSegLib.scene.tables import SEGMENTS_TABLE, rows_of, table_about
from DeepSegLib.self_tests.steps import MODEL, a_volume_node, needs_model, nodes_in_scene, panel_of, wait_until

MODULE = "DeepSegSegmentation"
SEGMENTS = ["Anterior hippocampus", "Posterior hippocampus"]


def panel_lists_models(test: TestCase, logic: Any) -> None:
    """The panel lists the models, tells what each is for, and Apply waits for a volume."""
    widget = panel_of(MODULE)
    widget.enter()
    test.assertGreaterEqual(widget.ui.modelSelector.findData(MODEL), 0)
    test.assertFalse(widget.ui.applyButton.enabled)
    a_volume_node()
    widget.enter()
    test.assertTrue(widget.ui.applyButton.enabled)
    test.assertIn("T1-weighted", widget.ui.modelCardLabel.text)
    test.assertEqual(widget.ui.disclaimerLabel.text, "For research, not for clinical use.")


def choices_survive_leaving_the_module(test: TestCase, logic: Any) -> None:
    """What was chosen is still chosen after another module was shown, and gone after the scene was closed."""
    import slicer

    volume_node = a_volume_node()
    widget = panel_of(MODULE)
    widget.enter()
    test.assertEqual(widget.ui.inputSelector.currentNodeID, volume_node.GetID())
    slicer.util.selectModule("Data")
    slicer.util.selectModule(MODULE)
    test.assertEqual(widget.ui.inputSelector.currentNodeID, volume_node.GetID())
    slicer.mrmlScene.Clear()
    test.assertEqual(widget.ui.inputSelector.currentNodeID, "")
    test.assertFalse(widget.ui.applyButton.enabled)


def run_is_refused_in_words(test: TestCase, logic: Any) -> None:
    """A script that names no model gets one sentence, and the scene is as before."""
    from deepseg.api import DeepSegError

    volume_node, before = a_volume_node(), nodes_in_scene()
    expected = "needs Python packages" if dependencies.missing_packages() else "is not installed here"
    with test.assertRaisesRegex(DeepSegError, expected):
        logic.segment(volume_node, "no-such-model")
    test.assertEqual(nodes_in_scene(), before)


@needs_model
def two_clicks_to_segments_with_uncertainty(test: TestCase, logic: Any) -> None:
    """From the open module to segments with a table of uncertainty: Apply, Review doubt."""
    import slicer

    a_volume_node()
    widget = panel_of(MODULE)
    widget.enter()
    widget.ui.applyButton.click()
    test.assertTrue(widget.ui.cancelButton.enabled)
    wait_until(test, lambda: not widget.panel.controls.running, "the segmentation")
    node = logic.getParameterNode().outputSegmentation
    test.assertIsNotNone(node, widget.ui.statusLabel.text)
    test.assertEqual(list(segment_names(node).values()), SEGMENTS)
    table = table_about(slicer.mrmlScene, node, SEGMENTS_TABLE)
    test.assertEqual([row["segment"] for row in rows_of(table)][:2], SEGMENTS)
    widget.ui.reviewButton.click()
    test.assertEqual(slicer.util.selectedModule(), "DeepSegUncertainty")


@needs_model
def undo_takes_a_result_back(test: TestCase, logic: Any) -> None:
    """One click takes a result back, with its maps and tables."""
    a_volume_node()
    widget = panel_of(MODULE)
    widget.enter()
    before = nodes_in_scene()
    widget.ui.applyButton.click()
    wait_until(test, lambda: not widget.panel.controls.running, "the segmentation")
    test.assertNotEqual(nodes_in_scene(), before)
    widget.ui.undoButton.click()
    test.assertEqual(nodes_in_scene(), before)


@needs_model
def segment_save_and_load(test: TestCase, logic: Any) -> None:
    """A segmented scene gives everything back after it was saved and loaded."""
    import slicer

    volume_node = a_volume_node()
    roi_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi_node.SetCenter(0, 0, 0)
    roi_node.SetSize(34, 46, 34)
    node = slicer.modules.deepsegsegmentation.logic().segment(volume_node, MODEL, region=roi_node, uncertainty=True)
    test.assertEqual(list(segment_names(node).values()), SEGMENTS)
    test.assertEqual(node.GetNodeReferenceID("DeepSeg.InputVolume"), volume_node.GetID())
    sha256 = node.GetAttribute("DeepSeg.ModelSha256")
    test.assertEqual(len(sha256), 64)
    rows = rows_of(table_about(slicer.mrmlScene, node, SEGMENTS_TABLE))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "DeepSegTest.mrb"
        test.assertTrue(slicer.util.saveScene(str(path)))
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(str(path))
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    test.assertEqual(list(segment_names(node).values()), SEGMENTS)
    test.assertEqual(node.GetAttribute("DeepSeg.ModelSha256"), sha256)
    test.assertEqual(node.GetNodeReference("DeepSeg.InputVolume").GetName(), "DeepSegTest")
    loaded = rows_of(table_about(slicer.mrmlScene, node, SEGMENTS_TABLE))
    test.assertEqual([row["segment"] for row in loaded], [row["segment"] for row in rows])


@needs_model
def cancel_leaves_the_scene_as_it_was(test: TestCase, logic: Any) -> None:
    """A cancelled run adds nothing to the scene."""
    import slicer

    a_volume_node()
    widget = panel_of(MODULE)
    widget.enter()
    before = nodes_in_scene()
    widget.ui.applyButton.click()
    slicer.app.processEvents()
    widget.ui.cancelButton.click()
    test.assertFalse(widget.panel.controls.running)
    test.assertEqual(nodes_in_scene(), before)
    test.assertIn("Cancelled", widget.ui.statusLabel.text)


@needs_model
def closing_the_scene_ends_the_run(test: TestCase, logic: Any) -> None:
    """A scene that is closed in mid-run leaves no run and no node."""
    import slicer

    a_volume_node()
    widget = panel_of(MODULE)
    widget.enter()
    widget.ui.applyButton.click()
    slicer.app.processEvents()
    slicer.mrmlScene.Clear()
    test.assertFalse(widget.panel.controls.running)
    test.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)


STEPS = [
    panel_lists_models,
    choices_survive_leaving_the_module,
    run_is_refused_in_words,
    two_clicks_to_segments_with_uncertainty,
    undo_takes_a_result_back,
    segment_save_and_load,
    cancel_leaves_the_scene_as_it_was,
    closing_the_scene_ends_the_run,
]
