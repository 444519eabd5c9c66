"""Volumes that are one time point of a sequence, and segmentations as sequences beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deepseg.api import LabelMap
from DeepSegLib.scene.names import free_name
from DeepSegLib.scene.origin import set_origin
from DeepSegLib.scene.removing import remove_with_parts
from DeepSegLib.scene.segments import write_segmentation

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLSequenceBrowserNode, vtkMRMLSequenceNode


def sequence_of(scene: vtkMRMLScene, volume_node: vtkMRMLScalarVolumeNode | None) -> tuple[vtkMRMLSequenceBrowserNode, vtkMRMLSequenceNode] | None:
    """The browser and the sequence that a volume shows a time point of; None where it belongs to none."""
    browsers = scene.GetNodesByClass("vtkMRMLSequenceBrowserNode")
    browsers.UnRegister(None)
    for n in range(browsers.GetNumberOfItems() if volume_node else 0):
        browser = browsers.GetItemAsObject(n)
        sequence = browser.GetSequenceNode(volume_node)
        if sequence is not None:
            return browser, sequence
    return None


def frame_count(scene: vtkMRMLScene, volume_node: vtkMRMLScalarVolumeNode | None) -> int:
    """Number of time points; 0 where the volume belongs to no sequence."""
    found = sequence_of(scene, volume_node)
    return found[1].GetNumberOfDataNodes() if found else 0


def frame(sequence: vtkMRMLSequenceNode, number: int) -> vtkMRMLScalarVolumeNode:
    """The volume of one time point; it lies in no scene, so it knows no transform above it."""
    return sequence.GetNthDataNode(number)


def write_segmentation_sequence(
    scene: vtkMRMLScene,
    frames: Sequence[LabelMap],
    volume_node: vtkMRMLScalarVolumeNode,
    browser: vtkMRMLSequenceBrowserNode,
    images: vtkMRMLSequenceNode,
) -> vtkMRMLSegmentationNode:
    """A sequence of segmentations that the browser plays along with the images; returns the node that shows the current one.

    Args:
        frames: a result for each time point, in order.
        volume_node: shows the images.
        browser: plays them.
        images: the sequence of images.
    """
    import slicer

    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", free_name(scene, f"{volume_node.GetName()} segmentations"))
    sequence.SetIndexName(images.GetIndexName())
    sequence.SetIndexUnit(images.GetIndexUnit())
    sequence.SetIndexType(images.GetIndexType())
    shown: Any = None
    for number, labels in enumerate(frames):
        node = write_segmentation(scene, labels, [volume_node], None)
        sequence.SetDataNodeAtValue(node, images.GetNthIndexValue(number))
        if shown is None:
            shown = node
        else:
            remove_with_parts(scene, node)
    browser.AddProxyNode(shown, sequence, False)
    set_origin(shown, frames[0].attributes, [volume_node])
    browser.SetSaveChanges(sequence, True)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return shown
