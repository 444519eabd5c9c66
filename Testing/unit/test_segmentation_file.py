"""What is written into a .seg.nrrd file, read as plain text and by Slicer's own segmentation node."""

import numpy as np
import pytest

from deepseg.io import write_label_map
from deepseg.segmentation_file import segment_id, segmentation_header, terminology_entry
from deepseg.volume import Code, Label, LabelMap, Terminology

FRONT = Label(
    1,
    "Front part",
    (0.9, 0.62, 0.0),
    Terminology(
        Code("SCT", "123037004", "Anatomical Structure"),
        Code("SCT", "5366008", "Hippocampus"),
        Code("SCT", "7771000", "Left"),
        Code("SCT", "12738006", "Brain"),
        Code("SCT", "24028007", "Right"),
    ),
)
BACK = Label(2, "Queue d'hippocampe, côté gauche", (0.0, 0.45, 0.7))


@pytest.fixture
def a_label_map(oblique_grid) -> LabelMap:
    array = np.zeros(oblique_grid.shape, np.uint8)
    array[1:4, 2:6, 0] = 1
    array[5:, 7:, 4:] = 2
    return LabelMap(array, oblique_grid, (FRONT, BACK), {"DeepSeg.Model": "tiny", "DeepSeg.Settings": '{"roi_ras_mm": null, "device": "cpu"}'})


def test_a_terminology_entry_is_slicers_seven_parts():
    parts = terminology_entry(FRONT).split("~")
    assert len(parts) == 7
    assert parts[1:4] == ["SCT^123037004^Anatomical Structure", "SCT^5366008^Hippocampus", "SCT^7771000^Left"]
    assert parts[5:] == ["SCT^12738006^Brain", "SCT^24028007^Right"]
    assert terminology_entry(BACK) == ""


def test_absent_codes_leave_empty_parts():
    label = Label(1, "x", (0, 0, 0), Terminology(Code("SCT", "1", "a"), Code("SCT", "2", "b")))
    parts = terminology_entry(label).split("~")
    assert (parts[3], parts[5], parts[6]) == ("^^", "^^", "^^")


def test_a_header_lists_each_segment_once_with_its_value(a_label_map):
    header = segmentation_header(a_label_map)
    assert [header[f"Segment{n}_LabelValue"] for n in (0, 1)] == ["1", "2"]
    assert [header[f"Segment{n}_ID"] for n in (0, 1)] == ["tiny_1", "tiny_2"]
    assert header["Segment0_Extent"] == "0 8 0 10 0 6"
    assert "Segment2_ID" not in header
    assert header["DeepSeg.Model"] == "tiny"


def text_header(path) -> dict[str, str]:
    """Key/value pairs of an NRRD file, from its text."""
    text = path.read_bytes().split(b"\n\n", 1)[0].decode("utf-8")
    return dict(line.split(":=", 1) for line in text.splitlines() if ":=" in line)


def test_the_file_holds_names_colours_codes_and_provenance_as_text(a_label_map, tmp_path):
    path = tmp_path / "labels.seg.nrrd"
    write_label_map(a_label_map, path)
    stored = text_header(path)
    for key, value in segmentation_header(a_label_map).items():
        assert stored.get(key, "") == value, key


def test_slicer_reads_the_file_as_the_segments_that_were_written(a_label_map, tmp_path):
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    path = tmp_path / "labels.seg.nrrd"
    write_label_map(a_label_map, path)
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    scene.AddNode(storage)
    assert storage.ReadData(node)

    segmentation = node.GetSegmentation()
    assert [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())] == ["tiny_1", "tiny_2"]
    for label in a_label_map.labels:
        segment = segmentation.GetSegment(segment_id(a_label_map, label))
        assert segment.GetName() == label.name
        np.testing.assert_allclose(segment.GetColor(), label.color, atol=1e-6)
        entry = vtk.reference("")
        assert segment.GetTag("TerminologyEntry", entry)
        # Slicer gives a segment without a code its default, "Tissue".
        assert str(entry) == terminology_entry(label) or (label.terminology is None and "^Tissue~" in str(entry))
        image = segment.GetRepresentation("Binary labelmap")
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        to_world = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
        extent = image.GetExtent()
        voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).T
        found = np.argwhere(voxels == segment.GetLabelValue()) + extent[::2]
        at = a_label_map.geometry.ijk_from_ras(found @ to_world[:3, :3].T + to_world[:3, 3])
        np.testing.assert_allclose(at, np.rint(at), atol=1e-6)
        assert sorted(map(tuple, np.rint(at).astype(int).tolist())) == sorted(map(tuple, np.argwhere(a_label_map.array == label.value).tolist()))
