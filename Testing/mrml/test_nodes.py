"""Volumes and regions of interest from a scene; segments into it."""

import numpy as np
import pytest

from deepseg.api import LabelMap, OutputError, RegionError, Volume, VolumeError
from DeepSegLib import nodes
from mrml.phantoms import THICK_OBLIQUE, grid, rotation
from mrml.scenes import bending_transform, ijk_to_ras_of, linear_transform, terminology_of, voxels_of


@pytest.fixture
def a_volume_node(a_scene, an_oblique_volume):
    return nodes.node_from_volume(a_scene, an_oblique_volume)


def test_a_volume_comes_back_from_its_node_unchanged(a_volume, a_scene):
    node = nodes.node_from_volume(a_scene, a_volume)

    back = nodes.volume_from_node(node)

    np.testing.assert_array_equal(back.array, a_volume.array)
    assert back.array.dtype == np.float32
    assert back.geometry.is_close(a_volume.geometry, 1e-9)
    assert back.name == "phantom"


def test_the_copy_does_not_follow_later_edits_of_the_node(a_volume_node):
    volume = nodes.volume_from_node(a_volume_node)
    before = volume.array.copy()

    a_volume_node.GetImageData().GetPointData().GetScalars().Fill(7)

    np.testing.assert_array_equal(volume.array, before)


def test_hounsfield_units_of_a_node_are_kept(a_volume_node):
    import slicer

    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    a_volume_node.SetVoxelValueUnits(entry)

    assert nodes.volume_from_node(a_volume_node).units == ("HU",)


def test_the_modality_of_a_volume_from_the_dicom_database_is_kept(a_scene, a_volume_node):
    import slicer

    assert nodes.volume_from_node(a_volume_node).modalities == ("",)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), a_volume_node)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "CT")

    assert nodes.volume_from_node(a_volume_node).modalities == ("CT",)


def test_linear_transforms_above_a_volume_become_part_of_its_place(a_scene, a_volume_node):
    outer, inner = linear_transform(a_scene, 90, (10, 0, 0)), linear_transform(a_scene, -20, (1, 2, 3))
    inner.SetAndObserveTransformNodeID(outer.GetID())
    a_volume_node.SetAndObserveTransformNodeID(inner.GetID())

    geometry = nodes.volume_from_node(a_volume_node).geometry

    outer_turn = np.array([[0, -1, 0, 10], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    inner_turn = np.eye(4)
    inner_turn[:3, :3], inner_turn[:3, 3] = rotation(2, -20), (1, 2, 3)
    np.testing.assert_allclose(geometry.ijk_to_ras, outer_turn @ inner_turn @ THICK_OBLIQUE.ijk_to_ras, atol=1e-9)


def test_a_bent_volume_is_refused_with_the_name_of_the_transform(a_scene, a_volume_node):
    a_volume_node.SetAndObserveTransformNodeID(bending_transform(a_scene).GetID())

    with pytest.raises(VolumeError, match=r"'head' lies under the transform 'warp', which is not linear\. Harden"):
        nodes.volume_from_node(a_volume_node)


def test_a_sheared_volume_is_refused(a_scene, a_volume_node):
    import vtk

    shear = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 1, 0.3)
    shear.SetMatrixTransformToParent(matrix)
    a_volume_node.SetAndObserveTransformNodeID(shear.GetID())

    with pytest.raises(VolumeError, match="not perpendicular"):
        nodes.volume_from_node(a_volume_node)


def test_an_empty_volume_node_is_refused(a_scene):
    with pytest.raises(VolumeError, match="'nothing' holds no image"):
        nodes.volume_from_node(a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing"))


def test_a_colour_volume_is_refused(a_scene):
    import vtk

    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node = a_scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    node.SetAndObserveImageData(image)

    with pytest.raises(VolumeError, match="'photo' has 3 values per voxel"):
        nodes.volume_from_node(node)


def a_region(scene, center=(10.0, 20.0, 30.0), size=(4.0, 6.0, 8.0)):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    node.SetCenter(center)
    node.SetSize(size)
    return node


def test_a_region_becomes_a_box(a_scene):
    box = nodes.box_from_roi(a_region(a_scene))

    np.testing.assert_allclose([box.minimum_ras, box.maximum_ras], [(8, 17, 26), (12, 23, 34)])


def inside_by_slicer(region, geometry):
    """Voxel centres that Slicer itself takes to lie within a region: its own planes, asked point by point."""
    import vtk

    planes = vtk.vtkPlanes()
    region.GetTransformedPlanes(planes)
    centres = geometry.ras_from_ijk(np.indices(geometry.shape).reshape(3, -1).T)
    return np.reshape([planes.EvaluateFunction(*centre) <= 0 for centre in centres], geometry.shape)


def assert_box_holds_what_the_region_holds(region, geometry):
    box = nodes.box_from_roi(region)
    where = geometry.slices_of(box)
    found = np.zeros(geometry.shape, bool)
    found[where] = box.contains(geometry, where)
    expected = inside_by_slicer(region, geometry)
    assert 50 < expected.sum() < expected.size
    np.testing.assert_array_equal(found, expected)
    return box


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_a_transformed_region_holds_the_voxels_that_slicer_sees_in_it(a_scene, a_geometry, degrees):
    region = a_region(a_scene, a_geometry.center_ras, (9.3, 7.1, 16.7))
    pivot = np.asarray(a_geometry.center_ras)
    move = pivot - rotation(2, degrees) @ pivot
    region.SetAndObserveTransformNodeID(linear_transform(a_scene, degrees, move).GetID())

    box = assert_box_holds_what_the_region_holds(region, a_geometry)

    assert box.is_upright == (degrees % 90 == 0)


def test_a_region_turned_by_its_own_axes_becomes_a_turned_box(a_scene, a_geometry):
    import vtk

    region = a_region(a_scene, (0.0, 0.0, 0.0), (9.3, 7.1, 16.7))
    turn = vtk.vtkTransform()
    turn.Translate(*a_geometry.center_ras)
    turn.RotateZ(45)
    turn.RotateX(20)
    region.GetObjectToNodeMatrix().DeepCopy(turn.GetMatrix())

    assert not assert_box_holds_what_the_region_holds(region, a_geometry).is_upright


def test_a_region_under_a_scaling_transform_grows_with_it(a_scene):
    import vtk

    node, scale = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode"), vtk.vtkTransform()
    scale.Scale(2, 3, 1)
    node.SetMatrixTransformToParent(scale.GetMatrix())
    region = a_region(a_scene)
    region.SetAndObserveTransformNodeID(node.GetID())
    bounds = [0.0] * 6
    region.GetRASBounds(bounds)

    box = nodes.box_from_roi(region)

    np.testing.assert_allclose([box.minimum_ras, box.maximum_ras], np.reshape(bounds, (3, 2)).T, atol=1e-9)


def test_a_sheared_region_is_refused(a_scene):
    import vtk

    shear = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 1, 0.3)
    shear.SetMatrixTransformToParent(matrix)
    region = a_region(a_scene)
    region.SetAndObserveTransformNodeID(shear.GetID())

    with pytest.raises(RegionError, match="shears it"):
        nodes.box_from_roi(region)


def test_a_region_not_drawn_yet_is_refused(a_scene):
    with pytest.raises(RegionError, match="'R' is not drawn yet"):
        nodes.box_from_roi(a_scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R"))


def test_a_bent_region_is_refused(a_scene):
    region = a_region(a_scene)
    region.SetAndObserveTransformNodeID(bending_transform(a_scene).GetID())

    with pytest.raises(RegionError, match="not linear"):
        nodes.box_from_roi(region)


def test_segments_carry_voxels_names_colours_terminology_and_what_made_them(a_scene, a_volume_node, some_labels):
    node = nodes.write_segmentation(a_scene, some_labels, a_volume_node)

    segmentation = node.GetSegmentation()
    assert [segmentation.GetNthSegmentID(n) for n in range(3)] == ["hippocampus-mr_1", "hippocampus-mr_2", "hippocampus-mr_3"]
    for label in some_labels.labels:
        segment = segmentation.GetSegment(f"hippocampus-mr_{label.value}")
        assert segment.GetName() == label.name
        assert not segment.GetNameAutoGenerated()
        assert not segment.GetColorAutoGenerated()
        np.testing.assert_allclose(segment.GetColor(), label.color)
        np.testing.assert_array_equal(voxels_of(node, f"hippocampus-mr_{label.value}", some_labels.geometry), some_labels.array == label.value)
    assert "SCT^5366008^Hippocampus~SCT^255549009^Anterior" in terminology_of(node, "hippocampus-mr_1")
    assert node.GetAttribute("DeepSeg.Model") == "hippocampus-mr"
    assert node.GetNodeReference(nodes.INPUT_VOLUME_ROLE) is a_volume_node
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is a_volume_node
    assert node.GetName() == "head segmentation"


def test_segments_lie_on_the_anatomy_of_a_transformed_volume_and_move_with_it(a_scene, a_volume_node, some_labels):
    registration = linear_transform(a_scene, 25, (30, -4, 5))
    a_volume_node.SetAndObserveTransformNodeID(registration.GetID())
    volume = nodes.volume_from_node(a_volume_node)

    node = nodes.write_segmentation(a_scene, with_geometry(some_labels, volume.geometry), a_volume_node)

    np.testing.assert_array_equal(voxels_of(node, "hippocampus-mr_2", volume.geometry), some_labels.array == 2)
    registration.SetMatrixTransformToParent(linear_transform(a_scene, -70, (1, 1, 1)).GetMatrixTransformToParent())
    np.testing.assert_array_equal(voxels_of(node, "hippocampus-mr_2", nodes.volume_from_node(a_volume_node).geometry), some_labels.array == 2)


def test_an_existing_segmentation_keeps_its_own_transform(a_scene, a_volume_node, some_labels):
    a_volume_node.SetAndObserveTransformNodeID(linear_transform(a_scene, 25, (30, -4, 5)).GetID())
    own = linear_transform(a_scene, -10, (7, 8, 9))
    node = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetAndObserveTransformNodeID(own.GetID())
    volume = nodes.volume_from_node(a_volume_node)

    nodes.write_segmentation(a_scene, with_geometry(some_labels, volume.geometry), a_volume_node, node)

    assert node.GetTransformNodeID() == own.GetID()
    np.testing.assert_array_equal(voxels_of(node, "hippocampus-mr_1", volume.geometry), some_labels.array == 1)


def test_an_empty_segmentation_the_user_has_just_made_is_treated_as_a_new_one(a_scene, a_volume_node, some_labels):
    a_volume_node.SetAndObserveTransformNodeID(linear_transform(a_scene, 25, (30, -4, 5)).GetID())
    node = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    volume = nodes.volume_from_node(a_volume_node)

    nodes.write_segmentation(a_scene, with_geometry(some_labels, volume.geometry), a_volume_node, node)

    assert node.GetName() == "mine"
    assert node.GetTransformNodeID() == a_volume_node.GetTransformNodeID()
    assert node.GetDisplayNode() is not None
    np.testing.assert_array_equal(voxels_of(node, "hippocampus-mr_1", volume.geometry), some_labels.array == 1)


def test_only_the_models_own_segments_are_replaced(a_scene, a_volume_node, some_labels):
    """A hand-drawn segment in the same layer, and one between the model's segments, keep voxels, names, colours and order."""
    import slicer

    node = nodes.write_segmentation(a_scene, some_labels, a_volume_node)
    segmentation = node.GetSegmentation()
    drawn = slicer.vtkSegment()
    drawn.SetName("Tumour, drawn by hand")
    drawn.SetColor(1, 0, 0)
    drawn.AddRepresentation("Binary labelmap", segmentation.GetSegment("hippocampus-mr_1").GetRepresentation("Binary labelmap"))
    drawn.SetLabelValue(2)
    segmentation.GetSegment("hippocampus-mr_2").SetLabelValue(9)  # its voxels are the drawn segment's now
    segmentation.AddSegment(drawn, "tumour", "hippocampus-mr_2")
    before = voxels_of(node, "tumour", some_labels.geometry)
    assert before.sum() == (some_labels.array == 2).sum()

    array = np.zeros_like(some_labels.array)
    array[8:14, 4:8, 1:6] = 1  # overlaps the drawn segment
    array[0, 0, 0] = 2
    nodes.write_segmentation(a_scene, with_array(some_labels, array), a_volume_node, node)

    assert [segmentation.GetNthSegmentID(n) for n in range(4)] == ["hippocampus-mr_1", "tumour", "hippocampus-mr_2", "hippocampus-mr_3"]
    assert segmentation.GetSegment("tumour").GetName() == "Tumour, drawn by hand"
    assert segmentation.GetSegment("tumour").GetColor() == (1, 0, 0)
    np.testing.assert_array_equal(voxels_of(node, "tumour", some_labels.geometry), before)
    np.testing.assert_array_equal(voxels_of(node, "hippocampus-mr_1", some_labels.geometry), array == 1)
    np.testing.assert_array_equal(voxels_of(node, "hippocampus-mr_2", some_labels.geometry), array == 2)


def test_overlapping_segments_keep_all_their_voxels_and_leave_the_other_segments_alone(a_scene, a_volume_node, some_labels):
    """A result whose labels overlap each other, and segments of the same values and names by another model and by hand: before and after a rerun."""
    import slicer

    geometry = some_labels.geometry
    node = nodes.write_segmentation(a_scene, some_labels, a_volume_node)
    drawn = slicer.vtkSegment()
    drawn.SetName(some_labels.labels[0].name)
    node.GetSegmentation().AddSegment(drawn, "Segment_1")
    image = slicer.vtkOrientedImageData()
    image.DeepCopy(node.GetSegmentation().GetSegment("hippocampus-mr_1").GetRepresentation("Binary labelmap"))
    drawn.AddRepresentation("Binary labelmap", image)
    drawn.SetLabelValue(1)
    others = ["hippocampus-mr_1", "hippocampus-mr_2", "hippocampus-mr_3", "Segment_1"]
    before = {name: voxels_of(node, name, geometry) for name in others}
    assert before["Segment_1"].any()

    for move in (0, 2):
        array = np.zeros(geometry.shape, np.uint16)
        array[3 + move : 14, 4:9, 1:6] |= 1
        array[8:20, 4 + move : 11, 2:7] |= 2
        array[10:12, 5:8, 3] |= 4
        result = LabelMap(array, geometry, some_labels.labels, {"DeepSeg.Model": "regions"}, overlapping=True)
        nodes.write_segmentation(a_scene, result, a_volume_node, node)

        for label in result.labels:
            np.testing.assert_array_equal(voxels_of(node, f"regions_{label.value}", geometry), result.mask(label))
        for name, voxels in before.items():
            np.testing.assert_array_equal(voxels_of(node, name, geometry), voxels)
        assert node.GetSegmentation().GetNumberOfSegments() == len(others) + 3


def test_replaced_segments_get_new_surfaces_where_the_node_shows_surfaces(a_scene, a_volume_node, some_labels):
    node = nodes.write_segmentation(a_scene, some_labels, a_volume_node)
    node.CreateClosedSurfaceRepresentation()
    before = node.GetSegmentation().GetSegment("hippocampus-mr_2").GetRepresentation("Closed surface").GetBounds()

    smaller = np.where(np.indices(some_labels.array.shape)[0] < 12, some_labels.array, 0).astype(np.uint8)
    nodes.write_segmentation(a_scene, with_array(some_labels, smaller), a_volume_node, node)

    after = node.GetSegmentation().GetSegment("hippocampus-mr_2").GetRepresentation("Closed surface").GetBounds()
    assert np.prod(np.diff(np.reshape(after, (3, 2)))) < 0.6 * np.prod(np.diff(np.reshape(before, (3, 2))))


def test_a_result_without_any_voxel_still_names_its_segments(a_scene, a_volume_node, some_labels):
    node = nodes.write_segmentation(a_scene, with_array(some_labels, np.zeros_like(some_labels.array)), a_volume_node)

    assert node.GetSegmentation().GetNumberOfSegments() == 3
    assert not voxels_of(node, "hippocampus-mr_1", some_labels.geometry).any()


def test_a_new_segmentation_joins_the_volumes_study(a_scene, a_volume_node, some_labels):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient"), "study")
    hierarchy.CreateItem(study, a_volume_node)

    node = nodes.write_segmentation(a_scene, some_labels, a_volume_node)

    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_a_volume_that_changed_meanwhile_leaves_the_scene_as_it_was(a_scene, a_volume_node, some_labels):
    other = Volume(np.zeros((1, 5, 5, 5), np.float32), grid((1, 1, 1), np.eye(3), (0, 0, 0), (5, 5, 5)), name="other")
    count = a_scene.GetNumberOfNodes()
    a_volume_node.SetAndObserveImageData(nodes.node_from_volume(a_scene, other).GetImageData())

    with pytest.raises(OutputError, match="has changed since the run began"):
        nodes.write_segmentation(a_scene, some_labels, a_volume_node)
    assert a_scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert a_scene.GetNumberOfNodes() >= count


def test_a_segmentation_made_of_surfaces_is_refused_and_left_alone(a_scene, a_volume_node, some_labels):
    import slicer
    import vtk

    node = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "from STL")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    segment = slicer.vtkSegment()
    segment.SetName("ball")
    segment.AddRepresentation("Closed surface", sphere.GetOutput())
    node.GetSegmentation().AddSegment(segment, "ball")

    with pytest.raises(OutputError, match="'from STL' is not made of label maps"):
        nodes.write_segmentation(a_scene, some_labels, a_volume_node, node)
    assert node.GetSegmentation().GetNumberOfSegments() == 1


def test_a_node_of_a_volume_stands_where_the_volume_does(a_scene):
    volume = Volume(np.ones((1, 4, 5, 6), np.float32), grid((2, 3, 4), rotation(1, 33), (1, 2, 3), (4, 5, 6)))

    np.testing.assert_allclose(ijk_to_ras_of(nodes.node_from_volume(a_scene, volume)), volume.geometry.ijk_to_ras, atol=1e-12)


def with_geometry(labels, geometry):
    return type(labels)(labels.array, geometry, labels.labels, labels.attributes)


def with_array(labels, array):
    return type(labels)(array, labels.geometry, labels.labels, labels.attributes)


def test_segments_of_another_model_stay_though_they_have_the_same_values(a_scene, a_volume_node, some_labels):
    node = nodes.write_segmentation(a_scene, some_labels, a_volume_node)
    other = LabelMap(np.zeros_like(some_labels.array), some_labels.geometry, some_labels.labels[:1], {"DeepSeg.Model": "spleen-ct"})
    nodes.write_segmentation(a_scene, other, a_volume_node, node)

    names = [node.GetSegmentation().GetNthSegmentID(n) for n in range(node.GetSegmentation().GetNumberOfSegments())]
    assert names == ["hippocampus-mr_1", "hippocampus-mr_2", "hippocampus-mr_3", "spleen-ct_1"]
    np.testing.assert_array_equal(voxels_of(node, "hippocampus-mr_1", some_labels.geometry), some_labels.array == 1)
