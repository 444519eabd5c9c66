"""DeepSeg Uncertainty as a user clicks it: maps, tables, the list of regions, corrections; on DeepSeg's own segments and on anybody's."""

import numpy as np
import pytest

from deepseg import api
from DeepSegLib.nodes import array_of
from DeepSegLib.scene.maps import maps_of_doubt
from DeepSegLib.scene.tables import REGIONS_TABLE, rows_of, table_about
from panels.panels import RESULTS, a_head, finish, load_modules, nodes_of, show

NAME = "DeepSegUncertainty"
VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


@pytest.fixture
def widget(a_slicer):
    return load_modules(a_slicer)[NAME]


@pytest.fixture
def ui(widget):
    return widget.ui


@pytest.fixture
def views(a_slicer):
    """Slice views' nodes and a camera, as a shown layout has them."""
    scene = a_slicer.scene
    for name, orientation in VIEWS.items():
        if not scene.GetFirstNode(name, "vtkMRMLSliceNode"):
            scene.AddNewNodeByClass("vtkMRMLSliceNode", name).SetOrientation(orientation)
            scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name)
    return scene


@pytest.fixture
def segmented(a_slicer, widget, views):
    """A segmentation with uncertainty, and the panel with it."""
    import slicer

    node = slicer.modules.deepsegsegmentation.logic().segment(a_head(a_slicer.scene), "hippocampus-mr", uncertainty=True)
    show(NAME)
    return node


def composites(scene):
    nodes = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    nodes.UnRegister(None)
    return [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]


def test_a_segmentation_with_maps_is_shown_at_once(a_slicer, ui, segmented):
    shown = maps_of_doubt(a_slicer.scene, segmented)["error_probability"]

    assert ui.segmentationSelector.currentNode() is segmented
    assert "Made by Hippocampus in MR" in ui.originLabel.text
    for view in composites(a_slicer.scene):
        assert (view.GetForegroundVolumeID(), view.GetBackgroundVolumeID()) == (shown.GetID(), segmented.GetNodeReferenceID("DeepSeg.InputVolume"))
        assert view.GetForegroundOpacity() == pytest.approx(0.6)
    assert ui.segmentsTable.rowCount == 3
    assert "differs from that of the training images" in ui.findingsLabel.text
    assert not ui.inputSelector.visible


def test_the_map_has_a_legend_with_its_unit(a_slicer, ui, segmented):
    import slicer

    shown = maps_of_doubt(a_slicer.scene, segmented)["predictive_entropy"]
    a_slicer.choose(ui.mapSelector, "Predictive entropy: total")

    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(shown)
    assert legend.GetVisibility()
    assert legend.GetTitleText() == "Predictive entropy (nats)"
    before = maps_of_doubt(a_slicer.scene, segmented)["error_probability"]
    assert not slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(before).GetVisibility()


def test_no_map_takes_the_overlay_away(a_slicer, ui, segmented):
    assert not segmented.GetDisplayNode().GetVisibility2DFill(), "filled segments would cover the map"
    a_slicer.choose(ui.mapSelector, "No map")

    assert all(view.GetForegroundVolumeID() is None for view in composites(a_slicer.scene))
    assert not ui.opacitySlider.visible
    assert segmented.GetDisplayNode().GetVisibility2DFill()


def test_what_another_module_laid_over_the_image_gives_way_when_the_panel_comes_back(a_slicer, ui, segmented):
    shown = maps_of_doubt(a_slicer.scene, segmented)["error_probability"]
    show("Data")
    for view in composites(a_slicer.scene):
        view.SetForegroundVolumeID(None)
    show(NAME)

    assert all(view.GetForegroundVolumeID() == shown.GetID() for view in composites(a_slicer.scene))


def test_opacity_follows_the_slider(a_slicer, ui, segmented):
    ui.opacitySlider.value = 0.25

    assert all(view.GetForegroundOpacity() == pytest.approx(0.25) for view in composites(a_slicer.scene))


def test_choosing_a_region_moves_the_views_there(a_slicer, ui, segmented):
    camera = a_slicer.scene.AddNewNodeByClass("vtkMRMLCameraNode")
    camera.SetPosition(0, 500, 0)
    camera.SetFocalPoint(0, 0, 0)
    ui.regionsTable.setCurrentCell(1, 0)
    row = rows_of(table_about(a_slicer.scene, segmented, REGIONS_TABLE))[1]

    for name in VIEWS:
        matrix = a_slicer.scene.GetFirstNode(name, "vtkMRMLSliceNode").GetSliceToRAS()
        np.testing.assert_allclose([matrix.GetElement(n, 3) for n in range(3)], [row[f"{axis}_mm"] for axis in "ras"], atol=1e-3)
    place = np.array([row[f"{axis}_mm"] for axis in "ras"])
    np.testing.assert_allclose(camera.GetFocalPoint(), place, atol=1e-3)
    np.testing.assert_allclose(camera.GetPosition(), place + np.array([0, 500, 0]), atol=1e-3)


def test_correct_here_opens_the_editor_within_the_doubt(a_slicer, ui, segmented):
    import slicer

    ui.regionsTable.setCurrentCell(0, 0)
    a_slicer.mouse_click(ui.correctButton)

    assert slicer.util.selectedModule() == "SegmentEditor"
    editor = a_slicer.scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    row = rows_of(table_about(a_slicer.scene, segmented, REGIONS_TABLE))[0]
    assert segmented.GetSegmentation().GetSegment(editor.GetSelectedSegmentID()).GetName() == row["segment"]
    shown = maps_of_doubt(a_slicer.scene, segmented)["error_probability"]
    assert editor.GetSourceVolumeNode() is shown
    low, high = editor.GetSourceVolumeIntensityMaskRange()
    assert (low, high) == (0.25, pytest.approx(float(array_of(shown).max())))
    assert editor.GetSourceVolumeIntensityMask()
    for view in composites(a_slicer.scene):
        assert (view.GetForegroundVolumeID(), view.GetBackgroundVolumeID()) == (shown.GetID(), segmented.GetNodeReferenceID("DeepSeg.InputVolume"))


def test_reviewed_regions_are_noted_in_the_scene(a_slicer, ui, segmented):
    import vtk

    table = table_about(a_slicer.scene, segmented, REGIONS_TABLE)
    for n in range(ui.regionsTable.rowCount):
        ui.regionsTable.setCurrentCell(n, 0)
        a_slicer.mouse_click(ui.reviewedButton)
    assert [row["reviewed"] for row in rows_of(table)] == [1] * ui.regionsTable.rowCount
    tag = vtk.reference("")
    segmented.GetSegmentation().GetSegment("hippocampus-mr_1").GetTag("Segmentation.Status", tag)
    assert str(tag) == "completed"
    ui.regionsTable.setCurrentCell(0, 0)
    assert ui.reviewedButton.text == "Mark as not reviewed"
    a_slicer.mouse_click(ui.reviewedButton)
    assert rows_of(table)[0]["reviewed"] == 0


def test_the_reliability_plot_is_shown_in_a_plot_view(a_slicer, ui, segmented):
    a_slicer.mouse_click(ui.reliabilityButton)

    chart = a_slicer.scene.GetNodeByID(a_slicer.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton").GetActivePlotChartID())
    assert chart.GetTitle() == "Reliability on 31 held-out cases"


def test_another_way_tells_aleatoric_from_epistemic_doubt(a_slicer, widget, ui, segmented):
    a_slicer.wait_until(lambda: ui.samplerSelector.count > 1, 60)
    a_slicer.choose(ui.samplerSelector, "Test-time augmentation")
    before = {name: node.GetID() for name, node in maps_of_doubt(a_slicer.scene, segmented).items()}
    a_slicer.mouse_click(ui.applyButton)
    assert "Done" in finish(a_slicer, widget)
    found = maps_of_doubt(a_slicer.scene, segmented)
    assert {"predictive_entropy", "expected_entropy", "mutual_information"} <= set(found)
    assert set(before.values()).isdisjoint(node.GetID() for node in found.values())
    kinds = [ui.mapSelector.itemText(n) for n in range(ui.mapSelector.count)]
    assert any("of the image (aleatoric)" in one for one in kinds)
    assert any("of the model (epistemic)" in one for one in kinds)
    a_slicer.mouse_click(ui.undoButton)

    assert {name: node.GetID() for name, node in maps_of_doubt(a_slicer.scene, segmented).items()} == before


def test_segments_painted_since_are_told(a_slicer, ui, segmented):
    image = segmented.GetSegmentation().GetSegment("hippocampus-mr_2").GetRepresentation("Binary labelmap")
    scalars = image.GetPointData().GetScalars()
    scalars.SetTuple1(scalars.GetNumberOfTuples() // 2, 0)
    scalars.SetTuple1(scalars.GetNumberOfTuples() // 2 + 1, 2)
    image.Modified()
    show("Data")
    show(NAME)

    assert ui.notesLabel.text.startswith("The segments were edited since")


def test_everything_is_there_after_the_scene_was_saved_and_loaded(a_slicer, ui, segmented, tmp_path):
    import slicer

    texts = [[ui.segmentsTable.item(row, column).text() for column in range(4)] for row in range(3)]
    regions = ui.regionsTable.rowCount
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    a_slicer.scene.Clear(False)
    assert not ui.applyButton.enabled
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    a_slicer.process_events(0.1)

    assert [[ui.segmentsTable.item(row, column).text() for column in range(4)] for row in range(3)] == texts
    assert ui.regionsTable.rowCount == regions
    assert "edited since" not in ui.notesLabel.text
    assert ui.applyButton.enabled


def test_anybodys_segments_can_be_asked_about(a_slicer, widget, ui, views):
    head = a_head(a_slicer.scene)
    node = a_slicer.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.GetSegmentation().AddEmptySegment("mine", "Mine")
    show(NAME)
    assert "DeepSeg did not make this segmentation" in ui.originLabel.text
    assert (ui.inputSelector.visible, ui.modelSelector.visible, ui.roiSelector.visible) == (True, True, True)
    assert "Choose a volume" in ui.applyButton.toolTip
    widget.logic.getParameterNode().inputVolume = head
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)

    assert "error_probability" in maps_of_doubt(a_slicer.scene, node)
    assert node.GetSegmentation().GetNumberOfSegments() == 1
    assert node.GetAttribute("DeepSeg.Model") is None


def test_a_scene_of_a_newer_deepseg_says_so(a_slicer, ui, segmented):
    segmented.SetAttribute("DeepSeg.SceneFormat", "7")
    segmented.SetAttribute("DeepSeg.Version", "3.0.0")
    show("Data")
    show(NAME)

    assert "was saved by a newer DeepSeg (3.0.0)" in ui.originLabel.text
    assert not ui.applyButton.enabled


def test_a_model_that_is_not_installed_is_named(a_slicer, ui, segmented):
    segmented.SetAttribute("DeepSeg.Model", "spleen-ct")
    show("Data")
    show(NAME)

    assert "is not installed here" in ui.originLabel.text
    assert not ui.applyButton.enabled
    assert ui.segmentsTable.rowCount == 3, "what was found out is still shown"


@pytest.mark.parametrize("same", [True, False])
def test_another_version_of_the_model_than_made_the_segments_is_told(same, a_slicer, widget, ui, segmented):
    if not same:
        segmented.SetAttribute("DeepSeg.ModelSha256", "0" * 64)
    a_slicer.mouse_click(ui.applyButton)

    assert ("another version of it" in finish(a_slicer, widget)) is not same


def test_a_cancelled_estimate_changes_nothing(a_slicer, widget, ui, segmented):
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(ui.applyButton)
    a_slicer.process_events(0.1)
    a_slicer.mouse_click(ui.cancelButton)

    assert ui.statusLabel.text == "Cancelled. The scene is as it was."
    assert nodes_of(a_slicer.scene, *RESULTS) == before


def test_a_script_gets_the_same_without_the_panel(a_slicer, views, widget):
    import slicer

    node = slicer.modules.deepsegsegmentation.logic().segment(a_head(a_slicer.scene), "hippocampus-mr")
    logic = slicer.modules.deepseguncertainty.logic()
    table = logic.estimate(node)
    assert [row["segment"] for row in rows_of(table)][:2] == ["Anterior hippocampus", "Posterior hippocampus"]
    assert logic.table(node) is table
    assert logic.regions(node).GetNumberOfRows() > 0
    assert set(logic.maps(node)) >= {"error_probability", "predictive_entropy"}
    with pytest.raises(api.DeepSegError, match="There is no sampler named"):
        logic.estimate(node, sampler="nonsense")
