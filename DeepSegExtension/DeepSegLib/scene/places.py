"""A place that the user points at: a markups point list with one point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepseg.api import RegionError
from DeepSegLib.scene.names import free_name
from DeepSegLib.translation import _

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScene


def position_of(node: vtkMRMLMarkupsFiducialNode) -> tuple[float, float, float]:
    """Where its first point lies: RAS in mm, in the world.

    Raises:
        RegionError: it has no point yet.
    """
    for n in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(n) == node.PositionDefined:
            position = [0.0, 0.0, 0.0]
            node.GetNthControlPointPositionWorld(n, position)
            return tuple(position)
    raise RegionError(_("The point list '{name}' has no point yet. Place one in a slice view, or choose none.").format(name=node.GetName()))


def start_placing(scene: vtkMRMLScene, node: vtkMRMLMarkupsFiducialNode | None) -> vtkMRMLMarkupsFiducialNode:
    """Let the next click in a view place the point; an earlier one gives way.

    Returns the point list: a new one where there was none, or where it may hold several points, which are the user's own.
    """
    if node is None or node.GetMaximumNumberOfControlPoints() != 1:
        node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", free_name(scene, _("Place to explain")))
        node.CreateDefaultDisplayNodes()
    node.RemoveAllControlPoints()
    node.SetMaximumNumberOfControlPoints(1)
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    interaction = scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
    selection.SetActivePlaceNodeID(node.GetID())
    interaction.SetPlaceModePersistence(0)
    interaction.SetCurrentInteractionMode(interaction.Place)
    return node
