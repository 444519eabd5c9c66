"""DeepSeg Segmentation as a user clicks it: real runs, cancelled runs, closed scenes, wrong input, models that come and go."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from deepseg import api
from panels.panels import RESULTS, a_head, finish, load_modules, nodes_of, show
from zoo_bundles import ZOO

NAME = "DeepSegSegmentation"


@pytest.fixture
def widgets(a_slicer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return load_modules(a_slicer)


@pytest.fixture
def widget(widgets):
    return widgets[NAME]


@pytest.fixture
def ui(widget):
    return widget.ui


@pytest.fixture
def a_shown_head(a_slicer, widget):
    """The panel with a volume in the scene."""
    node = a_head(a_slicer.scene)
    show(NAME)
    return node


def test_without_a_volume_apply_waits_and_says_for_what(a_slicer, widget, ui):
    show(NAME)

    assert not ui.applyButton.enabled
    assert "Choose a volume first." in ui.applyButton.toolTip


def test_from_opening_the_module_to_a_table_of_uncertainty_in_two_clicks(a_slicer, widgets, ui, widget, a_shown_head):
    """At most four are allowed, from opening the module."""
    from DeepSegLib.scene.tables import SEGMENTS_TABLE, rows_of, table_about

    clicks = a_slicer.clicks
    a_slicer.mouse_click(ui.applyButton)
    assert "Done" in finish(a_slicer, widget)
    node = widget.logic.getParameterNode().outputSegmentation
    assert len(rows_of(table_about(a_slicer.scene, node, SEGMENTS_TABLE))) == 3
    a_slicer.mouse_click(ui.reviewButton)
    a_slicer.process_events(0.1)

    assert a_slicer.clicks - clicks == 2
    assert widgets["DeepSegUncertainty"].ui.segmentsTable.rowCount == 3
    assert widgets["DeepSegUncertainty"].ui.segmentsTable.item(0, 0).text() == "Anterior hippocampus"


def test_the_card_tells_what_the_model_is_for(a_slicer, ui, a_shown_head):
    card = ui.modelCardLabel.text
    for told in ("Anterior hippocampus", "T1-weighted", "Dice", "on 31 cases it had not seen", "CC-BY-SA", "MB, shipped with DeepSeg"):
        assert told in card


def test_before_the_run_the_panel_tells_what_it_takes_and_what_is_unusual(a_slicer, ui, a_shown_head):
    a_slicer.wait_until(lambda: ui.forecastLabel.text, 60)

    assert ui.forecastLabel.text.startswith("Runs on: processor")
    assert "differs from that of the training images" in ui.warningLabel.text
    assert ui.deviceSelector.findData("cpu") > 0
    assert ui.applyButton.enabled, "a warning does not keep anybody from running"


def test_without_uncertainty_segments_alone_are_made(a_slicer, widget, ui, a_shown_head):
    a_slicer.mouse_click(ui.withUncertaintyCheckBox)
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)

    assert nodes_of(a_slicer.scene, "vtkMRMLSegmentationNode") == ["head segmentation"]
    assert nodes_of(a_slicer.scene, "vtkMRMLTableNode") == []


def test_segments_are_shown_in_3d_and_carry_what_made_them(a_slicer, widget, ui, a_shown_head):
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)
    node = widget.logic.getParameterNode().outputSegmentation

    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    assert ui.show3DButton.enabled
    assert node.GetAttribute("DeepSeg.Model") == "hippocampus-mr"
    assert node.GetNodeReferenceID("DeepSeg.InputVolume") == a_shown_head.GetID()


def test_cancelling_in_mid_run_leaves_the_scene_as_it_was(a_slicer, widget, ui, a_shown_head):
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(ui.applyButton)
    a_slicer.process_events(0.3)
    assert ui.progressBar.visible
    a_slicer.mouse_click(ui.cancelButton)

    assert ui.statusLabel.text == "Cancelled. The scene is as it was."
    assert nodes_of(a_slicer.scene, *RESULTS) == before
    assert ui.applyButton.enabled
    assert not ui.cancelButton.enabled


def workers_of_this_process():
    """Process numbers of running workers that this process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            parent, command = status.read_text(), (status.parent / "cmdline").read_bytes()
            if f"PPid:\t{os.getpid()}\n" in parent and b"deepseg.worker" in command:
                found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's list of processes")
def test_closing_the_scene_in_mid_run_leaves_no_worker_and_no_exception(a_slicer, widget, ui, a_shown_head):
    a_slicer.mouse_click(ui.applyButton)
    a_slicer.process_events(0.2)
    assert workers_of_this_process()
    a_slicer.scene.Clear(False)
    a_slicer.process_events(0.5)

    assert not widget.panel.controls.running
    a_slicer.wait_until(lambda: not workers_of_this_process(), 10)
    assert nodes_of(a_slicer.scene, *RESULTS) == []
    assert not ui.applyButton.enabled


def test_undo_takes_the_whole_result_back(a_slicer, widget, ui, a_shown_head):
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)
    assert nodes_of(a_slicer.scene, *RESULTS) != before
    a_slicer.mouse_click(ui.undoButton)

    assert nodes_of(a_slicer.scene, *RESULTS) == before
    assert ui.statusLabel.text == "Undone: the scene is as it was before that result."
    assert not ui.undoButton.enabled


def test_undo_asks_before_it_takes_edits_back(a_slicer, widget, ui, a_shown_head):
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)
    node = widget.logic.getParameterNode().outputSegmentation
    image = node.GetSegmentation().GetSegment("hippocampus-mr_1").GetRepresentation("Binary labelmap")
    image.GetPointData().GetScalars().SetTuple1(0, 1)
    image.Modified()  # as painting does: neither the segment nor the segmentation is modified

    a_slicer.answers.append(False)
    a_slicer.mouse_click(ui.undoButton)
    assert nodes_of(a_slicer.scene, "vtkMRMLSegmentationNode") == ["head segmentation"]
    assert ui.undoButton.enabled
    a_slicer.answers.append(True)
    a_slicer.mouse_click(ui.undoButton)
    assert nodes_of(a_slicer.scene, "vtkMRMLSegmentationNode") == []


def test_the_result_for_another_volume_is_not_written_over(a_slicer, widget, ui, a_shown_head):
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)
    other = a_head(a_slicer.scene, "another head")
    widget.logic.getParameterNode().inputVolume = other
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)

    assert nodes_of(a_slicer.scene, "vtkMRMLSegmentationNode") == ["another head segmentation", "head segmentation"]


def test_a_new_region_starts_as_the_whole_volume(a_slicer, widget, ui, a_shown_head):
    a_slicer.choose(ui.roiSelector, "Create new ROI")
    region = widget.logic.getParameterNode().regionOfInterest
    bounds, expected = [0.0] * 6, [0.0] * 6
    region.GetRASBounds(bounds)
    a_shown_head.GetRASBounds(expected)

    np.testing.assert_allclose(bounds, expected, atol=1e-3)


def test_a_region_can_be_what_the_slice_views_show(a_slicer, widget, ui, a_shown_head):
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        view = a_slicer.scene.GetNodeByID(f"vtkMRMLSliceNode{name}") or a_slicer.scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        view.SetOrientation(orientation)
        view.SetFieldOfView(30, 20, 1)
        view.JumpSliceByCentering(-26, -21, -13)
    a_slicer.mouse_click(ui.viewRegionButton)
    region = widget.logic.getParameterNode().regionOfInterest

    np.testing.assert_allclose(region.GetSize(), (30, 20, 20), atol=1e-3)
    np.testing.assert_allclose(region.GetCenter(), (-26, -21, -13), atol=1e-3)


def test_a_turned_region_of_the_users_is_left_alone(a_slicer, widget, ui, a_shown_head):
    import vtk

    region = a_slicer.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "turned")
    turn = vtk.vtkTransform()
    turn.RotateZ(30)
    region.SetSize(10, 20, 30)
    region.SetAndObserveObjectToNodeMatrix(turn.GetMatrix())
    widget.logic.getParameterNode().regionOfInterest = region
    view = a_slicer.scene.GetFirstNodeByClass("vtkMRMLSliceNode") or a_slicer.scene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    assert view
    a_slicer.mouse_click(ui.viewRegionButton)

    np.testing.assert_allclose(region.GetSize(), (10, 20, 30))
    assert abs(region.GetObjectToNodeMatrix().GetElement(0, 1)) > 0.4


def test_a_region_made_smaller_by_its_handles_is_foretold_anew(a_slicer, widget, ui, a_shown_head):
    region = a_slicer.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "far away")
    region.SetCenter(-26, -21, -13)
    region.SetSize(30, 40, 30)
    widget.logic.getParameterNode().regionOfInterest = region
    a_slicer.wait_until(lambda: ui.forecastLabel.text, 60)
    region.SetCenter(500, 500, 500)
    a_slicer.wait_until(lambda: "500" in ui.warningLabel.text or "outside" in ui.warningLabel.text or "no voxel" in ui.warningLabel.text, 60)

    assert not ui.forecastLabel.text


def test_models_are_listed_with_their_size_and_only_imported_ones_can_be_deleted(a_slicer, ui, a_shown_head):
    ui.modelsCollapsibleButton.collapsed = False
    assert [ui.modelsTable.item(0, column).text() for column in (0, 1)] == ["Hippocampus in MR (anterior and posterior)", "shipped"]
    assert ui.modelsTable.item(0, 2).text().endswith("MB")
    ui.modelsTable.setCurrentCell(0, 0)

    assert not ui.deleteModelButton.enabled
    assert not ui.forgetFolderButton.enabled


def test_a_folder_of_models_can_be_added_used_and_forgotten(a_slicer, widget, ui, a_shown_head, tiny_bundle, tmp_path):
    folder = tmp_path / "hospital"
    shutil.copytree(tiny_bundle.folder, folder / "tiny")
    ui.modelsCollapsibleButton.collapsed = False
    a_slicer.answers.append(str(folder))
    a_slicer.mouse_click(ui.addFolderButton)
    assert ui.statusLabel.text == "Added: Tiny."
    assert widget.logic.getParameterNode().modelName == "tiny"
    a_slicer.mouse_click(ui.withUncertaintyCheckBox)
    a_slicer.mouse_click(ui.applyButton)
    assert "Done" in finish(a_slicer, widget)
    ui.modelsTable.setCurrentCell(0, 0)
    a_slicer.mouse_click(ui.forgetFolderButton)

    assert ui.modelsTable.rowCount == 1
    assert (folder / "tiny/configs/metadata.json").is_file()


def test_a_folder_without_models_is_refused_in_words(a_slicer, ui, a_shown_head, tmp_path):
    ui.modelsCollapsibleButton.collapsed = False
    a_slicer.answers.append(str(tmp_path))
    a_slicer.mouse_click(ui.addFolderButton)

    assert "holds no DeepSeg model" in ui.statusLabel.text


def test_a_model_is_imported_used_and_deleted(a_slicer, widget, ui, a_shown_head, tmp_path):
    source = ZOO["spleen_ct_segmentation"].write(tmp_path / "spleen_ct_segmentation")
    ui.modelsCollapsibleButton.collapsed = False
    a_slicer.answers.append(str(source))
    a_slicer.mouse_click(ui.importFolderButton)
    a_slicer.wait_until(lambda: "Importing" not in ui.statusLabel.text, 120)
    assert ui.statusLabel.text.startswith(f"Imported: {source.name}.")
    assert widget.logic.getParameterNode().modelName == source.name
    ui.modelsTable.setCurrentCell(0, 0)
    a_slicer.answers.append(True)
    a_slicer.mouse_click(ui.deleteModelButton)

    assert ui.modelsTable.rowCount == 1
    assert not list((tmp_path / "data/DeepSeg/models").iterdir())


def test_a_model_with_several_inputs_asks_for_each(a_slicer, widget, ui, a_shown_head, tmp_path):
    api.import_monai(ZOO["brats_mri_segmentation"].write(tmp_path / "brats"), tmp_path / "added/brats")
    ui.modelsCollapsibleButton.collapsed = False
    a_slicer.answers.append(str(tmp_path / "added"))
    a_slicer.mouse_click(ui.addFolderButton)
    shown = [ui.inputSelector.visible, ui.inputSelector2.visible, ui.inputSelector3.visible, ui.inputSelector4.visible]
    assert shown == [True] * 4
    assert "T1c" in ui.inputSelectorLabel.text
    parameters = widget.logic.getParameterNode()
    parameters.inputVolume2 = a_shown_head
    assert "is chosen for two inputs" in ui.applyButton.toolTip
    parameters.inputVolume2 = a_head(a_slicer.scene, "T1")
    assert "Choose a volume for the input" in ui.applyButton.toolTip
    a_slicer.choose(ui.modelSelector, "Hippocampus in MR (anterior and posterior)")

    assert [ui.inputSelector.visible, ui.inputSelector2.visible] == [True, False]
    assert ui.inputSelectorLabel.text == "Volume:"


def test_the_log_can_be_copied_and_names_no_patient(a_slicer, widget, ui, a_shown_head):
    import slicer

    a_shown_head.SetName("Jane Doe")
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)
    ui.helpCollapsibleButton.collapsed = False
    a_slicer.mouse_click(ui.copyLogButton)

    text = slicer.app.clipboard().text()
    assert f"DeepSeg {api.__version__}, Slicer 5.8.1" in text
    assert "Start segmentation of 39 x 55 x 45 voxels by hippocampus-mr" in text
    assert "Jane" not in text


def test_choices_are_saved_with_the_scene(a_slicer, widget, ui, a_shown_head, tmp_path):
    import slicer

    a_slicer.mouse_click(ui.withUncertaintyCheckBox)
    other = a_head(a_slicer.scene, "another head")
    output = a_slicer.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    widget.logic.getParameterNode().inputVolume = other
    widget.logic.getParameterNode().outputSegmentation = output
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    a_slicer.scene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    a_slicer.process_events(0.1)

    assert not ui.withUncertaintyCheckBox.checked
    assert ui.inputSelector.currentNode().GetName() == "another head"
    assert ui.outputSelector.currentNode().GetName() == "mine"


def test_sample_data_is_offered_and_is_what_it_says(a_slicer, widgets):
    import hashlib

    import slicer

    (source,) = slicer.modules.sampleDataSources["DeepSeg"]
    assert source.uris.startswith("file:"), "it comes with DeepSeg, so nothing is downloaded"
    content = api.resource("SampleData/mni152-left-hippocampus.nii.gz").read_bytes()
    assert source.checksums == f"SHA256:{hashlib.sha256(content).hexdigest()}"


def test_scripts_find_the_logic_at_the_module(a_slicer, widgets):
    import gc

    import slicer

    gc.collect()
    assert slicer.modules.deepsegsegmentation.logic().models() == ["hippocampus-mr"]
    assert slicer.modules.deepsegsegmentation.logic().GetClassName() == "vtkSlicerScriptedLoadableModuleLogic"
