"""Volumes and regions of interest from a scene and into it."""

import numpy as np
import pytest

from deepseg.api import RegionError, Volume, VolumeError
from DeepSegLib import nodes
from mrml.phantoms import THICK_OBLIQUE, grid, rotation
from mrml.scenes import bending_transform, ijk_to_ras_of, linear_transform


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


def test_a_node_of_a_volume_stands_where_the_volume_does(a_scene):
    volume = Volume(np.ones((1, 4, 5, 6), np.float32), grid((2, 3, 4), rotation(1, 33), (1, 2, 3), (4, 5, 6)))

    np.testing.assert_allclose(ijk_to_ras_of(nodes.node_from_volume(a_scene, volume)), volume.geometry.ijk_to_ras, atol=1e-12)
