"""Reading a scene back, without DeepSeg's own code."""

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy


def ijk_to_ras_of(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def voxels_of(node, name, geometry):
    """One segment's voxels on a grid (True inside), each found by its world position in the node's own image."""
    import vtk

    segment = node.GetSegmentation().GetSegment(name)
    image = segment.GetRepresentation("Binary labelmap")
    if image.GetNumberOfPoints() == 0:
        return np.zeros(geometry.shape, bool)
    image_to_local, local_to_world = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(image_to_local)
    if node.GetParentTransformNode():
        node.GetParentTransformNode().GetMatrixTransformToWorld(local_to_world)
    to_world = np.array([[local_to_world.GetElement(r, c) for c in range(4)] for r in range(4)]) @ np.array(
        [[image_to_local.GetElement(r, c) for c in range(4)] for r in range(4)]
    )
    low, shape = np.array(image.GetExtent())[::2], image.GetDimensions()
    stored = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape[::-1]).transpose(2, 1, 0) == segment.GetLabelValue()
    indices = np.argwhere(stored) + low
    world = indices @ to_world[:3, :3].T + to_world[:3, 3]
    exact = (world - geometry.ijk_to_ras[:3, 3]) @ np.linalg.inv(geometry.ijk_to_ras[:3, :3]).T
    nearest = np.round(exact).astype(int)
    assert len(exact) == 0 or np.abs(exact - nearest).max() < 1e-6, "the segment's voxels lie between the volume's voxels"
    found = np.zeros(geometry.shape, bool)
    found[tuple(nearest.T)] = True
    return found


def linear_transform(scene, rotate_z, move):
    import vtk

    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "registration")
    transform = vtk.vtkTransform()
    transform.Translate(*move)
    transform.RotateZ(rotate_z)
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def bending_transform(scene):
    """A transform that is not linear, without any displacement."""
    import slicer
    import vtk

    displacements = vtk.vtkImageData()
    displacements.SetDimensions(4, 4, 4)
    displacements.AllocateScalars(vtk.VTK_DOUBLE, 3)
    displacements.GetPointData().GetScalars().Fill(0)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(displacements)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "warp")
    node.SetAndObserveTransformFromParent(transform)
    return node


def terminology_of(node, name):
    import slicer
    import vtk

    value = vtk.reference("")
    node.GetSegmentation().GetSegment(name).GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), value)
    return str(value)
