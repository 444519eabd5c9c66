"""Nodes of a MRML scene to DeepSeg's volumes and boxes, and results to nodes: the only place that knows both.

Everything takes the scene or the nodes as arguments, so that it works in Slicer and in Slicer's scene without an application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deepseg.api import Box, Geometry, Label, LabelMap, OutputError, RegionError, Volume, VolumeError, reverse_axes, segment_id, terminology_entry

if TYPE_CHECKING:
    import vtk
    from slicer import (
        vtkMRMLMarkupsROINode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLSegmentationNode,
        vtkMRMLTransformableNode,
        vtkOrientedImageData,
    )

INPUT_VOLUME_ROLE = "DeepSeg.InputVolume"
"""Node reference from a segmentation to the volume it was made from."""

_UNITS_OF_UCUM_CODE = {"[hnsf'U]": "HU", "{SUVbw}g/ml": "SUV"}


def volume_from_node(node: vtkMRMLScalarVolumeNode) -> Volume:
    """Copy a scalar volume node, in world coordinates: linear transforms above it are part of the geometry.

    Raises:
        VolumeError: the node holds no image or more than one value per voxel, or a transform above it is not linear.
    """
    from vtk.util.numpy_support import vtk_to_numpy

    image, name = node.GetImageData(), node.GetName()
    if image is None or image.GetPointData().GetScalars() is None:
        raise VolumeError(f"The volume '{name}' holds no image. Load it again, or choose another.")
    if image.GetNumberOfScalarComponents() != 1:
        raise VolumeError(f"The volume '{name}' has {image.GetNumberOfScalarComponents()} values per voxel; choose one with grey values.")
    shape = image.GetDimensions()
    scalars = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape[::-1])
    array = np.array(reverse_axes(scalars), dtype=np.float32)
    entry = node.GetVoxelValueUnits()
    unit = _UNITS_OF_UCUM_CODE.get(entry.GetCodeValue(), "a.u.") if entry else "a.u."
    return Volume(array[np.newaxis], Geometry(shape, _parent_to_world(node) @ _ijk_to_parent(node)), (unit,), name, (_modality(node),))


def node_from_volume(scene: vtkMRMLScene, volume: Volume) -> vtkMRMLScalarVolumeNode:
    """Add a volume's first channel to the scene as a scalar volume node with display settings."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData()
    image.SetDimensions(volume.geometry.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(reverse_axes(volume.array[0]).ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(volume.name))
    node.SetIJKToRASMatrix(_vtk_matrix(volume.geometry.ijk_to_ras))
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    return node


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
    object_to_world = _parent_to_world(node) @ _numpy_matrix(node.GetObjectToNodeMatrix())
    sides = object_to_world[:3, :3].T
    lengths = np.linalg.norm(sides, axis=1)
    axes = tuple(map(tuple, (sides / lengths[:, np.newaxis]).tolist()))
    return Box.from_center(tuple(object_to_world[:3, 3].tolist()), tuple((np.asarray(node.GetSize()) * lengths).tolist()), axes)


def write_segmentation(
    scene: vtkMRMLScene, labels: LabelMap, volume_node: vtkMRMLScalarVolumeNode, node: vtkMRMLSegmentationNode | None = None
) -> vtkMRMLSegmentationNode:
    """Put a result into the scene, in one step: nothing changes if it raises.

    A new node, or one still empty and under no transform, gets the volume's transform and its place in the subject hierarchy, so that
    the segments lie on the anatomy and move with it. In any other node only the segments this model makes are replaced; all others, and
    the node's own transform, stay.

    Args:
        scene: where the nodes live.
        labels: the result, on the volume's voxels.
        volume_node: what was segmented.
        node: the segmentation to write to; a new one where None.

    Raises:
        OutputError: the volume has changed its voxel grid since, or the existing segmentation cannot take label maps.
    """
    binary = _binary_representation()
    image = volume_node.GetImageData()
    if image is None or tuple(image.GetDimensions()) != labels.geometry.shape:
        raise OutputError(f"The volume '{volume_node.GetName()}' has changed since the run began; start it again.")
    others = [] if node is None else _other_segments(node, labels)
    has_segments = node is not None and node.GetSegmentation().GetNumberOfSegments() > 0
    if has_segments and node.GetSegmentation().GetSourceRepresentationName() != binary:
        raise OutputError(
            f"The segmentation '{node.GetName()}' is not made of label maps. Choose a new one, or make 'Binary labelmap' its source first."
        )
    is_fresh = node is None or not (has_segments or node.GetTransformNodeID())
    arrays, places = labels.layers()
    ijk_to_local = _ijk_to_parent(volume_node) if is_fresh else _local_grid(volume_node, node)
    layers = [_oriented_image(array, ijk_to_local) for array in arrays]

    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(f"{volume_node.GetName()} segmentation"))
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    if is_fresh:
        node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        _place_beside(scene, node, volume_node)
    was_modifying = node.StartModify()
    try:
        if not others:
            node.GetSegmentation().SetSourceRepresentationName(binary)
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        for label, place in zip(labels.labels, places, strict=True):
            _replace_segment(node, segment_id(labels, label), label, layers[place])
        for key, value in labels.attributes.items():
            node.SetAttribute(key, value)
        node.SetNodeReferenceID(INPUT_VOLUME_ROLE, volume_node.GetID())
    finally:
        node.EndModify(was_modifying)
    return node


def input_volume(node: vtkMRMLSegmentationNode) -> vtkMRMLScalarVolumeNode | None:
    """The volume that a segmentation was made from; None where DeepSeg did not make it, or the volume is no longer there."""
    return node.GetNodeReference(INPUT_VOLUME_ROLE)


def _replace_segment(node: vtkMRMLSegmentationNode, name: str, label: Label, oriented: vtkOrientedImageData) -> None:
    """Add one label's segment in the place of the segment with the same id; labels that do not overlap share one image, as layers do in Slicer."""
    import slicer

    segmentation = node.GetSegmentation()
    following = ""
    if segmentation.GetSegment(name):
        index = segmentation.GetSegmentIndex(name)
        following = segmentation.GetNthSegmentID(index + 1) if index + 1 < segmentation.GetNumberOfSegments() else ""
        segmentation.RemoveSegment(name)
    segment = slicer.vtkSegment()
    segment.SetName(label.name)
    segment.SetNameAutoGenerated(False)
    segment.SetColor(label.color)
    segment.SetColorAutoGenerated(False)
    segment.SetTag("Segmentation.Status", "inprogress")
    if entry := terminology_entry(label):
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
    segment.AddRepresentation(_binary_representation(), oriented)
    segment.SetLabelValue(label.value)
    segmentation.AddSegment(segment, name, following)


def _other_segments(node: vtkMRMLSegmentationNode, labels: LabelMap) -> list[str]:
    own = {segment_id(labels, label) for label in labels.labels}
    segmentation = node.GetSegmentation()
    names = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    return [name for name in names if name not in own]


def _oriented_image(array: np.ndarray, ijk_to_local: np.ndarray) -> vtkOrientedImageData:
    """Label values (I, J, K) as Slicer's image with a direction, cut to the labelled part; a single empty voxel where nothing is labelled."""
    import slicer
    from vtk.util.numpy_support import numpy_to_vtk

    bounds = [_range_of(array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    part = array[tuple(slice(first, last + 1) for first, last in bounds)]
    image = slicer.vtkOrientedImageData()
    image.SetExtent([index for pair in bounds for index in pair])
    image.GetPointData().SetScalars(numpy_to_vtk(reverse_axes(part).ravel(), deep=True))
    image.SetImageToWorldMatrix(_vtk_matrix(ijk_to_local))
    return image


def _range_of(occupied: np.ndarray) -> tuple[int, int]:
    indices = np.flatnonzero(occupied)
    return (int(indices[0]), int(indices[-1])) if len(indices) else (0, 0)


def _local_grid(volume_node: vtkMRMLScalarVolumeNode, node: vtkMRMLSegmentationNode) -> np.ndarray:
    """Voxel index to the segmentation's own coordinates: the volume's grid, seen from below the segmentation's transform."""
    if node.GetTransformNodeID() == volume_node.GetTransformNodeID():
        return _ijk_to_parent(volume_node)
    try:
        world = _parent_to_world(volume_node) @ _ijk_to_parent(volume_node)
        return np.linalg.inv(_parent_to_world(node)) @ world
    except VolumeError as error:
        raise OutputError(str(error)) from error


def _place_beside(scene: vtkMRMLScene, node: vtkMRMLSegmentationNode, volume_node: vtkMRMLScalarVolumeNode) -> None:
    """Give a node the volume's parent (study, folder) in the subject hierarchy."""
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    volume_item = hierarchy.GetItemByDataNode(volume_node) if hierarchy else 0
    if not volume_item:
        return
    parent, item = hierarchy.GetItemParent(volume_item), hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def _modality(node: vtkMRMLScalarVolumeNode) -> str:
    """DICOM's modality of a volume that Slicer loaded from its DICOM database; '' for any other."""
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene()) if node.GetScene() else None
    item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
    return hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""


def _parent_to_world(node: vtkMRMLTransformableNode) -> np.ndarray:
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


def _ijk_to_parent(node: vtkMRMLScalarVolumeNode) -> np.ndarray:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return _numpy_matrix(matrix)


def _numpy_matrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _vtk_matrix(array: np.ndarray) -> vtk.vtkMatrix4x4:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, float).ravel().tolist())
    return matrix


def _binary_representation() -> str:
    import slicer

    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
