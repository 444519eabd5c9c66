"""What made a segmentation, and which nodes speak of it: attributes and node references that are saved with the scene.

| node | says so by |
|---|---|
| segmentation | attributes `DeepSeg.Model`, `DeepSeg.Settings`, ...; references `DeepSeg.InputVolume`, one for each input of the model |
| map, table, chart | attribute `DeepSeg.Role`; reference `DeepSeg.Segmentation` |

Each of them carries `DeepSeg.SceneFormat`, so that a scene from a newer DeepSeg can be told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepseg.api import Box, DeepSegError
from DeepSegLib.translation import _

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

INPUT_VOLUME_ROLE = "DeepSeg.InputVolume"
"""Node references from a segmentation to the volumes it was made from, in the order of the model's inputs."""
SEGMENTATION_ROLE = "DeepSeg.Segmentation"
"""Node reference from a map, table or chart to the segmentation it speaks of."""
ROLE, FORMAT_ATTRIBUTE, SCENE_FORMAT = "DeepSeg.Role", "DeepSeg.SceneFormat", 1
MODEL, MODEL_SHA256, SETTINGS = "DeepSeg.Model", "DeepSeg.ModelSha256", "DeepSeg.Settings"


@dataclass(frozen=True)
class Origin:
    """What made a segmentation.

    Attributes:
        model: the model's id.
        model_sha256: hash of its weights.
        roi: the box that was segmented (RAS, mm); None for the whole volume.
    """

    model: str
    model_sha256: str
    roi: Box | None


def origin_of(node: vtkMRMLSegmentationNode) -> Origin | None:
    """What made it; None where DeepSeg did not.

    Raises:
        DeepSegError: a newer DeepSeg made it, and what it wrote may mean something else.
    """
    refuse_newer(node)
    model = node.GetAttribute(MODEL)
    if not model:
        return None
    try:
        box = json.loads(node.GetAttribute(SETTINGS) or "{}").get("roi_ras_mm")
        roi = Box.from_json(box) if box else None
    except (ValueError, TypeError, KeyError, AttributeError):
        roi = None
    return Origin(model, node.GetAttribute(MODEL_SHA256) or "", roi)


def remarks_on_model(node: vtkMRMLSegmentationNode, attributes: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence where another model, or another version of it, was asked about a segmentation than made it; `attributes` are the answer's."""
    origin = origin_of(node)
    if origin is None or origin.model_sha256 == attributes.get(MODEL_SHA256, ""):
        return ()
    return (_("The segments were made by another model, or another version of it, than the one that was asked: compare with care."),)


def input_volumes(node: vtkMRMLSegmentationNode) -> list[vtkMRMLScalarVolumeNode]:
    """The volumes that a segmentation was made from, as far as they are still in the scene."""
    found = [node.GetNthNodeReference(INPUT_VOLUME_ROLE, n) for n in range(node.GetNumberOfNodeReferences(INPUT_VOLUME_ROLE))]
    return [volume for volume in found if volume is not None]


def set_origin(node: vtkMRMLSegmentationNode, attributes: Mapping[str, str], volumes: Sequence[vtkMRMLScalarVolumeNode]) -> None:
    """Let a segmentation say what made it."""
    for key, value in attributes.items():
        node.SetAttribute(key, value)
    node.SetAttribute(FORMAT_ATTRIBUTE, str(SCENE_FORMAT))
    node.RemoveNodeReferenceIDs(INPUT_VOLUME_ROLE)
    for volume in volumes:
        node.AddNodeReferenceID(INPUT_VOLUME_ROLE, volume.GetID())


def speak_of(node: vtkMRMLNode, segmentation: vtkMRMLSegmentationNode, role: str, attributes: Mapping[str, str]) -> None:
    """Let a map, table or chart say what it is and of which segmentation."""
    for key, value in {**attributes, ROLE: role, FORMAT_ATTRIBUTE: str(SCENE_FORMAT)}.items():
        node.SetAttribute(key, value)
    node.SetNodeReferenceID(SEGMENTATION_ROLE, segmentation.GetID())


def nodes_about(scene: vtkMRMLScene, segmentation: vtkMRMLSegmentationNode, role: str) -> list[Any]:
    """Nodes of one role that speak of a segmentation, in the order they came into the scene; those of a newer DeepSeg are left alone."""
    nodes = scene.GetNodes()
    found = [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]
    return [
        node
        for node in found
        if node.GetAttribute(ROLE) == role and node.GetNodeReferenceID(SEGMENTATION_ROLE) == segmentation.GetID() and _format_of(node) <= SCENE_FORMAT
    ]


def refuse_newer(node: vtkMRMLNode) -> None:
    """Refuse a node whose attributes this DeepSeg may misread.

    Raises:
        DeepSegError: says so.
    """
    if _format_of(node) > SCENE_FORMAT:
        raise DeepSegError(
            _(
                "'{name}' was saved by a newer DeepSeg ({version}). Update DeepSeg to work with it; until then it can be looked at and edited like "
                "any other."
            ).format(name=node.GetName(), version=node.GetAttribute("DeepSeg.Version") or _("unknown version"))
        )


def _format_of(node: vtkMRMLNode) -> int:
    """0 for nodes of the first DeepSeg, which did not say."""
    try:
        return int(node.GetAttribute(FORMAT_ATTRIBUTE) or 0)
    except ValueError:
        return SCENE_FORMAT + 1
