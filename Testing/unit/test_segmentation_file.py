"""What is written into a .seg.nrrd file, read as plain text and by Slicer's own segmentation node."""

import numpy as np
import pytest
import SimpleITK as sitk

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
    header = segmentation_header(a_label_map, (0, 0))
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
    for key, value in segmentation_header(a_label_map, (0, 0)).items():
        assert stored.get(key, "") == value, key


def overlapping_map(grid, count: int, together: int) -> LabelMap:
    """`count` labels that may overlap, of which `together` hold one common voxel and the others are apart from all; one is empty."""
    array = np.zeros(grid.shape, np.uint16)
    for n in range(count - 1):
        array[n % 9, (2 * n) % 10, n % 7] |= 1 << n
    for n in range(together):
        array[8, 9, 6] |= 1 << n
    labels = tuple(Label(n + 1, f"Region {n + 1}", (n / count, 0.5, 0.1)) for n in range(count))
    return LabelMap(array, grid, labels, {"DeepSeg.Model": "regions"}, overlapping=True)


def test_layers_hold_each_label_once_and_none_covers_another(oblique_grid):
    labels = overlapping_map(oblique_grid, 6, 3)
    arrays, places = labels.layers()
    assert len(arrays) == 3
    for label, place in zip(labels.labels, places, strict=True):
        np.testing.assert_array_equal(arrays[place] == label.value, (labels.array >> (label.value - 1)) & 1)


@pytest.mark.parametrize(("count", "together"), [(1, 1), (3, 0), (4, 2), (4, 3), (5, 4), (16, 16)])
def test_slicer_reads_overlapping_segments_as_they_were_written(count, together, oblique_grid, tmp_path):
    assert_slicer_reads(overlapping_map(oblique_grid, count, together), tmp_path / "labels.seg.nrrd")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_other_formats_get_a_mask_for_each_label_that_may_overlap(suffix, oblique_grid, tmp_path):
    labels = overlapping_map(oblique_grid, 4, 2)
    write_label_map(labels, tmp_path / f"labels{suffix}")
    image = sitk.ReadImage(str(tmp_path / f"labels{suffix}"))
    assert image.GetSize() == (*oblique_grid.shape, 4)
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((8, 10, 6, 2))[:3], oblique_grid.ras_from_ijk((8, 10, 6)) * (-1, -1, 1), atol=1e-4)
    masks = sitk.GetArrayFromImage(image).transpose(0, 3, 2, 1)
    for label in labels.labels:
        np.testing.assert_array_equal(masks[label.value - 1], labels.mask(label).astype(np.uint8))


def test_slicer_reads_the_file_as_the_segments_that_were_written(a_label_map, tmp_path):
    assert_slicer_reads(a_label_map, tmp_path / "labels.seg.nrrd")


def assert_slicer_reads(a_label_map: LabelMap, path) -> None:
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    write_label_map(a_label_map, path)
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    scene.AddNode(storage)
    assert storage.ReadData(node)

    segmentation = node.GetSegmentation()
    assert [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())] == [
        segment_id(a_label_map, label) for label in a_label_map.labels
    ]
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
        assert sorted(map(tuple, np.rint(at).astype(int).tolist())) == sorted(map(tuple, np.argwhere(a_label_map.mask(label)).tolist()))
