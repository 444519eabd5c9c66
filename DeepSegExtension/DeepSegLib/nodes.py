"""Volume and region nodes of a MRML scene to DeepSeg's volumes and boxes and back: with `scene.segments`, the only place that converts voxels.

Everything takes the scene or the nodes as arguments, so that it works in Slicer and in Slicer's scene without an application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deepseg.api import Box, Geometry, RegionError, Volume, VolumeError, reverse_axes
from DeepSegLib.scene.names import free_name

if TYPE_CHECKING:
    import vtk
    from slicer import (
        vtkMRMLMarkupsROINode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLTransformableNode,
    )

_UNITS_OF_UCUM_CODE = {"[hnsf'U]": "HU", "{SUVbw}g/ml": "SUV"}


def volume_from_node(node: vtkMRMLScalarVolumeNode, placed_like: vtkMRMLScalarVolumeNode | None = None) -> Volume:
    """Copy a scalar volume node, in world coordinates: linear transforms above it are part of the geometry.

    Args:
        node: the volume.
        placed_like: node whose transforms count, for a volume that lies in no scene; its own where None.

    Raises:
        VolumeError: the node holds no image or more than one value per voxel, or a transform above it is not linear.
    """
    image, name = node.GetImageData(), node.GetName()
    if image is not None and image.GetNumberOfScalarComponents() != 1:
        raise VolumeError(f"The volume '{name}' has {image.GetNumberOfScalarComponents()} values per voxel; choose one with grey values.")
    array = np.array(array_of(node), dtype=np.float32)
    entry = node.GetVoxelValueUnits()
    unit = _UNITS_OF_UCUM_CODE.get(entry.GetCodeValue(), "a.u.") if entry else "a.u."
    return Volume(
        array[np.newaxis],
        Geometry(array.shape, parent_to_world(placed_like or node) @ ijk_to_parent(node)),
        (unit,),
        name,
        (_modality(placed_like or node),),
    )


def node_from_volume(scene: vtkMRMLScene, volume: Volume) -> vtkMRMLScalarVolumeNode:
    """Add a volume's first channel to the scene as a scalar volume node with display settings."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", free_name(scene, volume.name))
    set_image(node, volume.array[0], volume.geometry.ijk_to_ras)
    node.CreateDefaultDisplayNodes()
    return node


def set_image(node: vtkMRMLScalarVolumeNode, array: np.ndarray, ijk_to_parent: np.ndarray) -> None:
    """Let a volume node hold an array (I, J, K), placed below the node's transforms."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData()
    image.SetDimensions(array.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(reverse_axes(array).ravel(), deep=True))
    node.SetIJKToRASMatrix(vtk_matrix(ijk_to_parent))
    node.SetAndObserveImageData(image)


def array_of(node: vtkMRMLScalarVolumeNode) -> np.ndarray:
    """The voxels of a scalar volume node, (I, J, K): a view, so that nothing is copied.

    Raises:
        VolumeError: the node holds no image.
    """
    from vtk.util.numpy_support import vtk_to_numpy

    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise VolumeError(f"The volume '{node.GetName()}' holds no image. Load it again, or choose another.")
    return reverse_axes(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]))


def grid_shape(node: vtkMRMLScalarVolumeNode) -> tuple[int, int, int] | None:
    """Number of voxels (I, J, K); None where the node holds no image."""
    image = node.GetImageData()
    return tuple(image.GetDimensions()) if image else None


def box_from_roi(node: vtkMRMLMarkupsROINode) -> Box:
    """A region of interest as a box in world coordinates, turned as the region is.

    Raises:
        RegionError: the region is not drawn, has no size, or lies under a transform that is not linear or shears it.
    """
    if node.GetNumberOfDefinedControlPoints() == 0:
        raise RegionError(f"The region of interest '{node.GetName()}' is not drawn yet. Place it in a slice view, or choose none.")
    parent = node.GetParentTransformNode()
    if parent is not None and not parent.IsTransformToWorldLinear():
        raise RegionError(_not_linear("region of interest", node))
    # Slicer's own object-to-world matrix squares up axes that a transform shears.
    object_to_world = parent_to_world(node) @ _numpy_matrix(node.GetObjectToNodeMatrix())
    sides = object_to_world[:3, :3].T
    lengths = np.linalg.norm(sides, axis=1)
    axes = tuple(map(tuple, (sides / lengths[:, np.newaxis]).tolist()))
    return Box.from_center(tuple(object_to_world[:3, 3].tolist()), tuple((np.asarray(node.GetSize()) * lengths).tolist()), axes)


def _modality(node: vtkMRMLScalarVolumeNode) -> str:
    """DICOM's modality of a volume that Slicer loaded from its DICOM database; '' for any other."""
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene()) if node.GetScene() else None
    item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
    return hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""


def parent_to_world(node: vtkMRMLTransformableNode) -> np.ndarray:
    """The node's own coordinates to the world's, 4 x 4.

    Raises:
        VolumeError: a transform above it is not linear.
    """
    import vtk

    parent, matrix = node.GetParentTransformNode(), vtk.vtkMatrix4x4()
    if parent is not None:
        if not parent.IsTransformToWorldLinear():
            raise VolumeError(_not_linear("node", node))
        parent.GetMatrixTransformToWorld(matrix)
    return _numpy_matrix(matrix)


def _not_linear(kind: str, node: vtkMRMLTransformableNode) -> str:
    return (
        f"The {kind} '{node.GetName()}' lies under the transform '{node.GetParentTransformNode().GetName()}', which is not linear. "
        "Harden the transform first, or take the node out of it."
    )


def ijk_to_parent(node: vtkMRMLScalarVolumeNode) -> np.ndarray:
    """Voxel index to the node's own coordinates, below its transforms: RAS in mm, 4 x 4."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return _numpy_matrix(matrix)


def _numpy_matrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def vtk_matrix(array: np.ndarray) -> vtk.vtkMatrix4x4:
    """A 4 x 4 array as VTK's matrix."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, float).ravel().tolist())
    return matrix
