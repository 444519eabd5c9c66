"""Results as segments of a segmentation node."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deepseg.api import Label, LabelMap, OutputError, VolumeError, reverse_axes, segment_id, terminology_entry
from DeepSegLib.nodes import grid_shape, ijk_to_parent, parent_to_world, vtk_matrix
from DeepSegLib.scene.names import free_name
from DeepSegLib.scene.origin import set_origin
from DeepSegLib.scene.subject_hierarchy import place_beside

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode, vtkOrientedImageData, vtkSegment

SEGMENTS_DIGEST = "DeepSeg.SegmentsDigest"
"""Attribute of what speaks of a segmentation: which segments it had then."""
_STATUS = "Segmentation.Status"
"""Tag of a segment that Slicer shows and saves: 'inprogress', 'completed', ..."""


def write_segmentation(
    scene: vtkMRMLScene, labels: LabelMap, volume_nodes: Sequence[vtkMRMLScalarVolumeNode], node: vtkMRMLSegmentationNode | None = None
) -> vtkMRMLSegmentationNode:
    """Put a result into the scene: nothing changes if it raises one of the errors below.

    A new node, or one still empty and under no transform, gets the volume's transform and its place in the subject hierarchy, so that
    the segments lie on the anatomy and move with it. In any other node only the segments this model makes are replaced; all others, and
    the node's own transform, stay.

    Args:
        scene: where the nodes live.
        labels: the result, on the volume's voxels.
        volume_nodes: what was segmented, in the order of the model's inputs; the segments lie on the first one's grid.
        node: the segmentation to write to; a new one where None.

    Raises:
        OutputError: the volume has changed its voxel grid since, or the existing segmentation cannot take label maps.
    """
    binary, volume_node = _binary_representation(), volume_nodes[0]
    if grid_shape(volume_node) != labels.geometry.shape:
        raise OutputError(f"The volume '{volume_node.GetName()}' has changed since the run began; start it again.")
    others = [] if node is None else _other_segments(node, labels)
    has_segments = node is not None and node.GetSegmentation().GetNumberOfSegments() > 0
    if has_segments and node.GetSegmentation().GetSourceRepresentationName() != binary:
        raise OutputError(
            f"The segmentation '{node.GetName()}' is not made of label maps. Choose a new one, or make 'Binary labelmap' its source first."
        )
    is_fresh = node is None or not (has_segments or node.GetTransformNodeID())
    arrays, places = labels.layers()
    ijk_to_local = ijk_to_parent(volume_node) if is_fresh else _local_grid(volume_node, node)
    layers = [_oriented_image(array, ijk_to_local) for array in arrays]

    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", free_name(scene, f"{volume_node.GetName()} segmentation"))
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    if is_fresh:
        node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        place_beside(scene, node, volume_node)
    was_modifying = node.StartModify()
    try:
        if not others:
            node.GetSegmentation().SetSourceRepresentationName(binary)
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        for label, place in zip(labels.labels, places, strict=True):
            _replace_segment(node, segment_id(labels, label), label, layers[place])
        set_origin(node, labels.attributes, volume_nodes)
    finally:
        node.EndModify(was_modifying)
    return node


def segments_digest(node: vtkMRMLSegmentationNode) -> str:
    """Hash of which voxels a segmentation's segments have, the same after it was saved and loaded; whatever their names and colours."""
    segmentation, digest = node.GetSegmentation(), hashlib.sha256()
    for n in range(segmentation.GetNumberOfSegments()):
        mask, first = _voxels(segmentation.GetNthSegment(n))
        digest.update(repr((segmentation.GetNthSegmentID(n), mask.shape, first)).encode())
        digest.update(np.packbits(mask).tobytes())
    return digest.hexdigest()


def segments_time(node: vtkMRMLSegmentationNode) -> int:
    """When its segments were changed last: painting changes a label map alone, and neither the segment nor the segmentation."""
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
    images = [segment.GetRepresentation(_binary_representation()) for segment in segments]
    return max([segmentation.GetMTime(), *(image.GetMTime() for image in images if image is not None)])


def segment_names(node: vtkMRMLSegmentationNode) -> dict[str, str]:
    """Names of its segments by their ids, in order."""
    segmentation = node.GetSegmentation()
    return {segmentation.GetNthSegmentID(n): segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())}


def mark_segment_reviewed(node: vtkMRMLSegmentationNode, name: str, reviewed: bool) -> None:
    """Note on the segments of that name whether somebody has looked at all their regions of doubt: Slicer's own status of a segment."""
    segmentation = node.GetSegmentation()
    for key, known in segment_names(node).items():
        if known == name:
            segmentation.GetSegment(key).SetTag(_STATUS, "completed" if reviewed else "inprogress")


def _voxels(segment: vtkSegment) -> tuple[np.ndarray, tuple[float, ...]]:
    """The box of a segment's voxels (I, J, K), True inside, and where its first voxel lies (RAS, mm, below transforms)."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    image = segment.GetRepresentation(_binary_representation())
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        return np.zeros((0, 0, 0), bool), ()
    inside = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]) == segment.GetLabelValue()
    if not inside.any():
        return np.zeros((0, 0, 0), bool), ()
    inside = reverse_axes(inside)
    bounds = [_range_of(inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    part = inside[tuple(slice(first, last + 1) for first, last in bounds)]
    to_local = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_local)
    voxel = [first + start for (first, _last), start in zip(bounds, image.GetExtent()[::2], strict=True)]
    return part, tuple(round(x, 2) + 0.0 for x in to_local.MultiplyPoint((*voxel, 1.0))[:3])


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
    segment.SetTag(_STATUS, "inprogress")
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
    image.SetImageToWorldMatrix(vtk_matrix(ijk_to_local))
    return image


def _range_of(occupied: np.ndarray) -> tuple[int, int]:
    indices = np.flatnonzero(occupied)
    return (int(indices[0]), int(indices[-1])) if len(indices) else (0, 0)


def _local_grid(volume_node: vtkMRMLScalarVolumeNode, node: vtkMRMLSegmentationNode) -> np.ndarray:
    """Voxel index to the segmentation's own coordinates: the volume's grid, seen from below the segmentation's transform."""
    if node.GetTransformNodeID() == volume_node.GetTransformNodeID():
        return ijk_to_parent(volume_node)
    try:
        world = parent_to_world(volume_node) @ ijk_to_parent(volume_node)
        return np.linalg.inv(parent_to_world(node)) @ world
    except VolumeError as error:
        raise OutputError(str(error)) from error


def _binary_representation() -> str:
    import slicer

    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
