"""Steps of DeepSegUncertaintyTest: doubt about DeepSeg's own segments and about anybody's, and what a reviewer does with it."""

from __future__ import annotations

from typing import Any
from unittest import TestCase

from DeepSegLib.scene.maps import maps_of_doubt
from DeepSegLib.scene.tables import REGIONS_TABLE, REVIEWED, rows_of, table_about
from DeepSegLib.self_tests.steps import MODEL, a_volume_node, needs_model, panel_of, wait_until

MODULE = "DeepSegUncertainty"


def panel_waits_for_a_segmentation(test: TestCase, logic: Any) -> None:
    """Without a segmentation the panel offers nothing to run and says why."""
    widget = panel_of(MODULE)
    widget.enter()
    test.assertFalse(widget.ui.applyButton.enabled)
    test.assertIn("Choose a segmentation", widget.ui.applyButton.toolTip)


@needs_model
def anybodys_segments_can_be_asked_about(test: TestCase, logic: Any) -> None:
    """Of a segmentation that DeepSeg did not make the user names volume and model."""
    import slicer

    volume_node = a_volume_node()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.GetSegmentation().AddEmptySegment("mine", "Mine")
    widget = panel_of(MODULE)
    widget.enter()
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.modelName = volume_node, MODEL
    test.assertIn("did not make", widget.ui.originLabel.text)
    test.assertTrue(widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip)
    widget.ui.applyButton.click()
    wait_until(test, lambda: not widget.panel.controls.running, "the estimate")
    test.assertIn("error_probability", maps_of_doubt(slicer.mrmlScene, node), widget.ui.statusLabel.text)
    test.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 1)


@needs_model
def regions_are_looked_at_corrected_and_reviewed(test: TestCase, logic: Any) -> None:
    """A row of the list moves the views there, opens the Segment Editor within the doubt, and can be marked as reviewed."""
    import slicer

    node = slicer.modules.deepsegsegmentation.logic().segment(a_volume_node(), MODEL, uncertainty=True)
    widget = panel_of(MODULE)
    logic.getParameterNode().segmentation = node
    widget.enter()
    table = table_about(slicer.mrmlScene, node, REGIONS_TABLE)
    rows = rows_of(table)
    test.assertEqual(widget.ui.regionsTable.rowCount, len(rows))
    test.assertGreater(len(rows), 0)
    widget.ui.regionsTable.setCurrentCell(0, 0)
    place = [rows[0][axis] for axis in ("r_mm", "a_mm", "s_mm")]
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        matrix = view.GetSliceToRAS()
        normal = [matrix.GetElement(row, 2) for row in range(3)]
        offset = sum((p - matrix.GetElement(row, 3)) * n for row, (p, n) in enumerate(zip(place, normal, strict=True)))
        test.assertAlmostEqual(offset, 0, places=2)
    widget.ui.reviewedButton.click()
    test.assertEqual(rows_of(table)[0][REVIEWED], 1)
    widget.ui.regionsTable.setCurrentCell(0, 0)
    widget.ui.correctButton.click()
    test.assertEqual(slicer.util.selectedModule(), "SegmentEditor")
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    test.assertEqual(editor.GetSegmentationNode().GetID(), node.GetID())
    test.assertTrue(editor.GetSourceVolumeIntensityMask())
    test.assertEqual(editor.GetSourceVolumeNode().GetID(), maps_of_doubt(slicer.mrmlScene, node)["error_probability"].GetID())
    test.assertAlmostEqual(editor.GetSourceVolumeIntensityMaskRange()[0], 0.25)
    test.assertEqual(node.GetSegmentation().GetSegment(editor.GetSelectedSegmentID()).GetName(), rows[0]["segment"])


@needs_model
def the_map_lies_over_the_image(test: TestCase, logic: Any) -> None:
    """The map of doubt is the foreground of the slice views, with a range that shows it."""
    import slicer

    volume_node = a_volume_node()
    node = slicer.modules.deepsegsegmentation.logic().segment(volume_node, MODEL, uncertainty=True)
    widget = panel_of(MODULE)
    logic.getParameterNode().segmentation = node
    widget.enter()
    shown = maps_of_doubt(slicer.mrmlScene, node)["error_probability"]
    test.assertEqual(widget.ui.mapSelector.itemData(widget.ui.mapSelector.currentIndex), shown.GetID())
    for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        test.assertEqual(view.GetForegroundVolumeID(), shown.GetID())
        test.assertEqual(view.GetBackgroundVolumeID(), volume_node.GetID())
    test.assertGreater(shown.GetDisplayNode().GetWindow(), 0)
    test.assertEqual(shown.GetDisplayNode().GetAutoWindowLevel(), 0)


STEPS = [
    panel_waits_for_a_segmentation,
    anybodys_segments_can_be_asked_about,
    regions_are_looked_at_corrected_and_reviewed,
    the_map_lies_over_the_image,
]
