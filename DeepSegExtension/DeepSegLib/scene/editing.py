"""Correcting a segment: the Segment Editor's own node, set so that painting changes only voxels in doubt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from DeepSegLib.nodes import array_of
from DeepSegLib.scene.display import show_overlay
from DeepSegLib.scene.origin import input_volumes
from DeepSegLib.scene.segments import segment_names

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLSegmentEditorNode

_CONTESTED = {"error_probability": 0.25, "predictive_entropy": 0.56}
"""A voxel is in doubt where its measure exceeds this: both say that the likelier label of two has less than three quarters."""

_OPACITY = 0.5


def edit_within_doubt(
    scene: vtkMRMLScene, segmentation: vtkMRMLSegmentationNode, segment: str, maps: Mapping[str, vtkMRMLScalarVolumeNode]
) -> vtkMRMLSegmentEditorNode:
    """Let the Segment Editor begin with a segment, painting limited to the voxels in doubt.

    Its own setting 'Editable intensity range' limits the painting, so the user sees it there and can switch it off. The map of doubt is shown
    over the image, as the Segment Editor would otherwise show it instead of the image.

    Args:
        scene: where the nodes live.
        segmentation: what is corrected.
        segment: name of the segment; the first one where there is none of that name.
        maps: the segmentation's maps of doubt, by measure.
    """
    node, images = _editor_node(scene), input_volumes(segmentation)
    if images and not segmentation.GetNodeReferenceID(segmentation.GetReferenceImageGeometryReferenceRole()):
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(images[0])
    names = segment_names(segmentation)
    measure = next((one for one in _CONTESTED if one in maps), None)
    node.SetAndObserveSegmentationNode(segmentation)
    chosen = next((key for key, name in names.items() if name == segment), next(iter(names), None))
    if chosen:
        node.SetSelectedSegmentID(chosen)
    if measure is None:
        node.SetSourceVolumeIntensityMask(False)
        return node
    show_overlay(scene, images[0] if images else None, maps[measure], _OPACITY)
    highest = float(array_of(maps[measure]).max())
    node.SetAndObserveSourceVolumeNode(maps[measure])
    node.SetSourceVolumeIntensityMaskRange(_CONTESTED[measure], max(highest, _CONTESTED[measure]))
    node.SetSourceVolumeIntensityMask(True)
    return node


def _editor_node(scene: vtkMRMLScene) -> vtkMRMLSegmentEditorNode:
    """The one that the module Segment Editor works with."""
    import slicer

    node = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag("SegmentEditor")
        node = scene.AddNode(node)
    return node
