"""A saved scene gives everything back, and DeepSeg's .seg.nrrd files are Slicer's."""

import numpy as np
import pytest

from deepseg.api import write_label_map
from DeepSegLib import nodes
from DeepSegLib.scene import origin, segments
from mrml.phantoms import labels_on
from mrml.scenes import linear_transform, terminology_of, voxels_of


@pytest.mark.parametrize("transformed", [False, True], ids=["plain", "under a transform"])
def test_a_saved_and_loaded_scene_gives_everything_back(a_scene, an_application, an_oblique_volume, tmp_path, transformed):
    volume_node = nodes.node_from_volume(a_scene, an_oblique_volume)
    if transformed:
        volume_node.SetAndObserveTransformNodeID(linear_transform(a_scene, 25, (30, -4, 5)).GetID())
    geometry = nodes.volume_from_node(volume_node).geometry
    labels = labels_on(geometry)
    segments.write_segmentation(a_scene, labels, [volume_node])
    path = tmp_path / "scene.mrb"
    assert a_scene.WriteToMRB(str(path))
    a_scene.Clear(False)
    assert a_scene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None

    assert a_scene.ReadFromMRB(str(path))

    node = a_scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    segmentation = node.GetSegmentation()
    assert [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())] == [
        "hippocampus-mr_1",
        "hippocampus-mr_2",
        "hippocampus-mr_3",
    ]
    for label in labels.labels:
        segment = segmentation.GetSegment(f"hippocampus-mr_{label.value}")
        assert segment.GetName() == label.name
        np.testing.assert_allclose(segment.GetColor(), label.color, atol=1e-5)
        np.testing.assert_array_equal(voxels_of(node, f"hippocampus-mr_{label.value}", geometry), labels.array == label.value)
    assert "SCT^5366008^Hippocampus~SCT^255551008^Posterior" in terminology_of(node, "hippocampus-mr_2")
    assert {key: node.GetAttribute(key) for key in labels.attributes} == labels.attributes
    volume_node = a_scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert node.GetNodeReference(origin.INPUT_VOLUME_ROLE) is volume_node
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is volume_node
    assert nodes.volume_from_node(volume_node).geometry.is_close(geometry, 1e-9)


def test_slicer_reads_a_segmentation_file_of_deepseg(a_scene, a_geometry, tmp_path):
    labels = labels_on(a_geometry)
    path = tmp_path / "result.seg.nrrd"
    write_label_map(labels, path)

    node = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = a_scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)

    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 3
    for label in labels.labels:
        name = f"hippocampus-mr_{label.value}"
        segment = segmentation.GetSegment(name)
        assert segment.GetName() == label.name
        np.testing.assert_allclose(segment.GetColor(), label.color, atol=1e-5)
        np.testing.assert_array_equal(voxels_of(node, name, a_geometry), labels.array == label.value)
    assert "SCT^5366008^Hippocampus~SCT^255549009^Anterior" in terminology_of(node, "hippocampus-mr_1")


def test_a_segmentation_node_and_a_segmentation_file_name_and_code_the_same(a_scene, an_oblique_volume, some_labels, tmp_path):
    """What the command line writes and what the panel makes are the same segments."""
    made = segments.write_segmentation(a_scene, some_labels, [nodes.node_from_volume(a_scene, an_oblique_volume)])
    write_label_map(some_labels, tmp_path / "result.seg.nrrd")
    read = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = a_scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "result.seg.nrrd"))
    assert storage.ReadData(read)

    for name in ("hippocampus-mr_1", "hippocampus-mr_2", "hippocampus-mr_3"):
        assert terminology_of(read, name) == terminology_of(made, name)
        assert read.GetSegmentation().GetSegment(name).GetName() == made.GetSegmentation().GetSegment(name).GetName()
