"""Steps of DeepSegExplanationTest: a question, its answer as a map, and how far that can be believed."""

from __future__ import annotations

from typing import Any
from unittest import TestCase

from DeepSegLib.scene.origin import nodes_about
from DeepSegLib.scene.plots import PLOT_ROLE
from DeepSegLib.self_tests.steps import MODEL, a_volume_node, needs_model, nodes_in_scene, panel_of, wait_until

MODULE = "DeepSegExplanation"
QUICK = "gradient-times-input"


def panel_waits_for_a_segmentation(test: TestCase, logic: Any) -> None:
    """Without a segmentation the panel offers nothing to run and says why."""
    widget = panel_of(MODULE)
    widget.enter()
    test.assertFalse(widget.ui.applyButton.enabled)
    test.assertIn("Choose a segmentation", widget.ui.applyButton.toolTip)


@needs_model
def a_segment_is_explained(test: TestCase, logic: Any) -> None:
    """A click explains a segment: a map over the image, a verdict in words, and curves."""
    import slicer

    node = slicer.modules.deepsegsegmentation.logic().segment(a_volume_node(), MODEL)
    widget = panel_of(MODULE)
    parameters = logic.getParameterNode()
    parameters.segmentation, parameters.method = node, QUICK
    widget.enter()
    test.assertTrue(widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip)
    widget.ui.applyButton.click()
    wait_until(test, lambda: not widget.panel.controls.running, "the explanation")
    found = nodes_about(slicer.mrmlScene, node, "map of evidence")
    test.assertEqual(len(found), 1, widget.ui.statusLabel.text)
    test.assertIn("Anterior hippocampus", widget.ui.verdictLabel.text)
    test.assertIsNotNone(found[0].GetNodeReference(PLOT_ROLE))
    widget.ui.curvesButton.click()
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    test.assertEqual(selection.GetActivePlotChartID(), found[0].GetNodeReferenceID(PLOT_ROLE))


@needs_model
def a_place_outside_is_refused_in_words(test: TestCase, logic: Any) -> None:
    """A place outside the image gives one sentence, and the scene is as before."""
    import slicer

    node = slicer.modules.deepsegsegmentation.logic().segment(a_volume_node(), MODEL)
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "far away")
    point.AddControlPoint(500, 500, 500)
    widget = panel_of(MODULE)
    parameters = logic.getParameterNode()
    parameters.segmentation, parameters.method, parameters.place = node, QUICK, point
    widget.enter()
    before = nodes_in_scene()
    widget.ui.applyButton.click()
    wait_until(test, lambda: not widget.panel.controls.running, "the refusal")
    test.assertIn("lies outside", widget.ui.statusLabel.text)
    test.assertEqual(nodes_in_scene(), before)


STEPS = [panel_waits_for_a_segmentation, a_segment_is_explained, a_place_outside_is_refused_in_words]
