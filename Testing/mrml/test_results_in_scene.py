"""Maps, tables and plots beside a segmentation: what they say, how they are found again, and how a result is taken back."""

import json

import numpy as np
import pytest

from deepseg.api import Explanation, ExplanationCheck, Finding, Label, Prediction, SegmentReport, UncertainRegion, Uncertainty, UncertaintyMap
from DeepSegLib import nodes
from DeepSegLib.runs import doubt
from DeepSegLib.scene import maps, origin, plots, tables
from DeepSegLib.scene.change import SceneChange
from DeepSegLib.scene.segments import SEGMENTS_DIGEST, segments_digest, write_segmentation
from mrml.scenes import ijk_to_ras_of, linear_transform

MEASURES = {"error_probability": ("Probability of error", "total"), "mutual_information": ("Mutual information", "epistemic")}


@pytest.fixture
def a_segmentation(a_scene, a_volume_node, some_labels):
    return write_segmentation(a_scene, some_labels, [a_volume_node])


@pytest.fixture
def some_doubt(some_labels):
    """Doubt in a box of its own, so that a map cut to it must be placed."""
    values = np.zeros(some_labels.geometry.shape, np.float32)
    values[2:6, 3:7, 1:4] = np.random.default_rng(0).uniform(0.01, 0.6, (4, 4, 3))
    found = {m: UncertaintyMap(values, some_labels.geometry, m, title, "1", kind, 1.0) for m, (title, kind) in MEASURES.items()}
    reports = (
        SegmentReport("Front", 2.5, 2.4, 0.9, (2.0, 3.0), 0.87, (0.8, 0.93), "accept", 0.1, ()),
        SegmentReport("Back", 0.0, None, 0.9, None, None, None, "reject", float("nan"), ("empty", "touches the border")),
    )
    findings = (Finding("voxel size", 2.0, "The voxels are large."),)
    prediction = Prediction(some_labels, None, some_labels.attributes)
    return Uncertainty(prediction, found, None, "single-pass", 1, None, reports, findings, True, notes=("A note.",))


@pytest.fixture
def some_regions():
    return (
        UncertainRegion(Label(1, "Front", (1, 0, 0)), (1.5, -2.0, 3.0), 0.2, 0.05, "error_probability", 0.3, 0.6),
        UncertainRegion(Label(2, "Back", (0, 1, 0)), (4.0, 5.0, 6.0), 0.1, 0.01, "error_probability", 0.3, 0.4),
    )


def written(scene, found, regions, node, volume_node, model="hippocampus-mr"):
    from deepseg.api import find_model

    with SceneChange(scene) as change:
        doubt.write_doubt(change, found, regions, node, volume_node, find_model(model))
    return change


def test_a_map_lies_where_its_values_belong_and_moves_with_the_volume(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions):
    a_volume_node.SetAndObserveTransformNodeID(linear_transform(a_scene, 25, (30, -4, 5)).GetID())
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)

    node = maps.maps_of_doubt(a_scene, a_segmentation)["error_probability"]
    assert nodes.grid_shape(node) == (4, 4, 3)
    expected = ijk_to_ras_of(a_volume_node) @ [2, 3, 1, 1]
    np.testing.assert_allclose(ijk_to_ras_of(node)[:, 3], expected, atol=1e-6)
    assert node.GetTransformNodeID() == a_volume_node.GetTransformNodeID()
    np.testing.assert_array_equal(nodes.array_of(node), some_doubt.maps["error_probability"].values[2:6, 3:7, 1:4])


def test_a_maps_colours_end_where_its_values_do_and_leave_the_rest_clear(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)

    display = maps.maps_of_doubt(a_scene, a_segmentation)["error_probability"].GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((0.0, 0.75))
    assert display.GetAutoWindowLevel() == 0
    assert display.GetApplyThreshold() == 1
    assert display.GetLowerThreshold() == pytest.approx(0.05 * 0.75)
    assert display.GetColorNode().GetName() == "DeepSeg doubt"


def test_the_table_of_segments_says_what_was_promised(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions, tmp_path):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)

    table = tables.table_about(a_scene, a_segmentation, tables.SEGMENTS_TABLE)
    front, back = tables.rows_of(table)
    assert (front["segment"], front["volume_low_ml"], front["volume_high_ml"], front["verdict"]) == ("Front", 2.0, 3.0, "accept")
    assert np.isnan(back["volume_low_ml"])
    assert back["flags"] == "empty, touches the border"
    told = tables.told_of(table)
    assert told["findings"] == ["The voxels are large."]
    assert told["calibrated"] is True
    storage = a_scene.AddNewNodeByClass("vtkMRMLTableStorageNode")
    storage.SetFileName(str(tmp_path / "segments.csv"))
    assert storage.WriteData(table)
    lines = (tmp_path / "segments.csv").read_text().splitlines()
    assert lines[0].startswith('"segment","volume_ml","volume_low_ml"')
    assert len(lines) == 3


def test_regions_can_be_marked_as_reviewed(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)
    table = tables.table_about(a_scene, a_segmentation, tables.REGIONS_TABLE)
    assert [(row["rank"], row["segment"], row["r_mm"], row["reviewed"]) for row in tables.rows_of(table)] == [
        (1, "Front", 1.5, 0),
        (2, "Back", 4.0, 0),
    ]

    tables.mark_reviewed(table, 1, True)

    assert [row["reviewed"] for row in tables.rows_of(table)] == [0, 1]


def test_the_reliability_plot_has_two_lines_a_label_and_the_diagonal(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)

    chart = plots.chart_about(a_scene, a_segmentation, plots.RELIABILITY)
    names = [chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert len(names) == 5
    assert "31 held-out cases" in chart.GetTitle()
    table = chart.GetNthPlotSeriesNode(2).GetTableNode()
    assert table.GetNumberOfRows() > 5


def test_a_second_answer_replaces_the_first_and_undoing_brings_that_back(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)
    before = {name: node.GetName() for name, node in maps.maps_of_doubt(a_scene, a_segmentation).items()}
    ids = {node.GetID() for node in maps.maps_of_doubt(a_scene, a_segmentation).values()}

    change = written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)
    again = maps.maps_of_doubt(a_scene, a_segmentation)
    assert {name: node.GetName() for name, node in again.items()} == before
    assert ids.isdisjoint({node.GetID() for node in again.values()})

    change.undo()
    assert {node.GetID() for node in maps.maps_of_doubt(a_scene, a_segmentation).values()} == ids
    assert {name: node.GetName() for name, node in maps.maps_of_doubt(a_scene, a_segmentation).items()} == before
    assert len(origin.nodes_about(a_scene, a_segmentation, tables.SEGMENTS_TABLE)) == 1


def test_undoing_leaves_nothing_behind_but_colours(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    hierarchy.CreateItem(hierarchy.GetSceneItemID(), a_segmentation)
    before = sorted(a_scene.GetNodes().GetItemAsObject(n).GetID() for n in range(a_scene.GetNumberOfNodes()))
    change = written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)
    assert hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), "DeepSeg: head segmentation")
    change.undo()
    after = [a_scene.GetNodes().GetItemAsObject(n) for n in range(a_scene.GetNumberOfNodes())]

    assert sorted(node.GetID() for node in after if not node.IsA("vtkMRMLColorNode") or node.GetName() != "DeepSeg doubt") == before
    assert not hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), "DeepSeg: head segmentation")


def test_what_was_replaced_goes_for_good_when_it_is_forgotten(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)
    count = a_scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")

    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node).forget()

    assert a_scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == count


def test_undo_gives_back_edited_segments_as_they_were(a_scene, a_volume_node, a_segmentation, some_labels):
    digest, attributes = segments_digest(a_segmentation), {n: a_segmentation.GetAttribute(n) for n in a_segmentation.GetAttributeNames()}
    a_segmentation.GetDisplayNode().SetSegmentVisibility("hippocampus-mr_2", False)
    other = type(some_labels)(
        np.roll(some_labels.array, 1, 0), some_labels.geometry, some_labels.labels, {**some_labels.attributes, "DeepSeg.New": "1"}
    )
    with SceneChange(a_scene, a_segmentation) as change:
        write_segmentation(a_scene, other, [a_volume_node], a_segmentation)
    assert segments_digest(a_segmentation) != digest
    assert not change.edited_since

    change.undo()

    assert segments_digest(a_segmentation) == digest
    assert {n: a_segmentation.GetAttribute(n) for n in a_segmentation.GetAttributeNames()} == attributes
    assert not a_segmentation.GetDisplayNode().GetSegmentVisibility("hippocampus-mr_2")


def test_a_failure_while_writing_leaves_the_scene_as_it_was(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions, monkeypatch):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)
    before = sorted(a_scene.GetNodes().GetItemAsObject(n).GetID() for n in range(a_scene.GetNumberOfNodes()))
    monkeypatch.setattr(doubt, "write_segments_table", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)

    after = sorted(a_scene.GetNodes().GetItemAsObject(n).GetID() for n in range(a_scene.GetNumberOfNodes()))
    assert [name for name in set(after) ^ set(before) if "SubjectHierarchy" not in name] == []
    assert set(maps.maps_of_doubt(a_scene, a_segmentation)) == set(MEASURES)


def test_everything_is_found_again_in_a_loaded_scene(a_scene, a_volume_node, a_segmentation, some_doubt, some_regions, tmp_path):
    written(a_scene, some_doubt, some_regions, a_segmentation, a_volume_node)
    rows = [row["segment"] for row in tables.rows_of(tables.table_about(a_scene, a_segmentation, tables.SEGMENTS_TABLE))]
    values = nodes.array_of(maps.maps_of_doubt(a_scene, a_segmentation)["error_probability"]).copy()
    assert a_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    a_scene.Clear(False)
    assert a_scene.ReadFromMRB(str(tmp_path / "scene.mrb"))

    node = a_scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert origin.origin_of(node).model == "hippocampus-mr"
    assert [volume.GetName() for volume in origin.input_volumes(node)] == ["head"]
    loaded = maps.maps_of_doubt(a_scene, node)
    assert set(loaded) == set(MEASURES)
    np.testing.assert_allclose(nodes.array_of(loaded["error_probability"]), values)
    assert loaded["error_probability"].GetDisplayNode().GetColorNode().GetName() == "DeepSeg doubt"
    table = tables.table_about(a_scene, node, tables.SEGMENTS_TABLE)
    assert [row["segment"] for row in tables.rows_of(table)] == rows
    assert table.GetAttribute(SEGMENTS_DIGEST) == segments_digest(node)
    assert plots.chart_about(a_scene, node, plots.RELIABILITY).GetNumberOfPlotSeriesNodes() == 5


def test_edited_segments_are_told_from_those_of_the_result(a_scene, a_segmentation):
    before = segments_digest(a_segmentation)
    image = a_segmentation.GetSegmentation().GetSegment("hippocampus-mr_1").GetRepresentation("Binary labelmap")
    scalars = image.GetPointData().GetScalars()
    scalars.SetTuple1(int(np.flatnonzero([scalars.GetTuple1(n) == 1 for n in range(scalars.GetNumberOfTuples())])[0]), 0)

    assert segments_digest(a_segmentation) != before


def test_a_scene_from_a_newer_deepseg_says_so(a_scene, a_segmentation):
    a_segmentation.SetAttribute(origin.FORMAT_ATTRIBUTE, "2")
    a_segmentation.SetAttribute("DeepSeg.Version", "9.1.0")

    with pytest.raises(Exception, match=r"was saved by a newer DeepSeg \(9.1.0\). Update DeepSeg"):
        origin.origin_of(a_segmentation)


def test_a_scene_from_the_first_deepseg_is_read(a_scene, a_segmentation, a_volume_node):
    a_segmentation.RemoveAttribute(origin.FORMAT_ATTRIBUTE)

    assert origin.origin_of(a_segmentation).model == "hippocampus-mr"
    assert origin.input_volumes(a_segmentation) == [a_volume_node]


def an_explanation(labels):
    values = np.zeros(labels.geometry.shape, np.float32)
    values[1:4, 2:5, 1:3] = np.linspace(-2, 1, 18).reshape(3, 3, 2)
    checks = (
        ExplanationCheck("deletion", 0.4, 0.9, True, "Falls fast.", ((0.0, 1.0), (0.5, 0.3), (1.0, 0.1))),
        ExplanationCheck("noise", 0.2, 0.5, False, "Changes with noise."),
    )
    return Explanation(values, labels.geometry, "Why Front?", "grad-cam", "Grad-CAM", "layer", 1.0, checks, {"DeepSeg.Model": "tiny"})


def test_an_explanation_is_a_map_with_even_colours_and_its_curves(a_scene, a_volume_node, a_segmentation, some_labels):
    found = an_explanation(some_labels)
    node = maps.write_evidence_map(a_scene, found, a_segmentation, a_volume_node)
    chart = plots.write_faithfulness(a_scene, found, a_segmentation, node)

    display = node.GetDisplayNode()
    assert display.GetWindowLevelMin() == pytest.approx(-display.GetWindowLevelMax())
    assert display.GetColorNode().GetName() == "DeepSeg evidence"
    assert json.loads(node.GetAttribute(maps.EXPLANATION))["checks"][1] == {"name": "noise", "passed": False, "told": "Changes with noise."}
    assert node.GetNodeReference(plots.PLOT_ROLE) is chart
    assert chart.GetNumberOfPlotSeriesNodes() == 1
    assert origin.nodes_about(a_scene, a_segmentation, maps.EVIDENCE_MAP) == [node]
