"""Where results stand in the subject hierarchy: beside what they were made from, and maps and tables in a folder of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene


def place_beside(scene: vtkMRMLScene, node: vtkMRMLNode, neighbour: vtkMRMLNode) -> None:
    """Give a node the neighbour's parent (study, folder)."""
    hierarchy = _hierarchy(scene)
    place = hierarchy.GetItemByDataNode(neighbour) if hierarchy else 0
    if place:
        _put(hierarchy, node, hierarchy.GetItemParent(place))


def place_in_folder(scene: vtkMRMLScene, node: vtkMRMLNode, folder: str, neighbour: vtkMRMLNode) -> None:
    """Put a node into the folder of this name beside the neighbour, made where there is none."""
    hierarchy = _hierarchy(scene)
    place = hierarchy.GetItemByDataNode(neighbour) if hierarchy else 0
    if not place:
        return
    parent = hierarchy.GetItemParent(place)
    found = hierarchy.GetItemChildWithName(parent, folder) or hierarchy.CreateFolderItem(parent, folder)
    _put(hierarchy, node, found)


def remove_empty_folder(scene: vtkMRMLScene, folder: str, neighbour: vtkMRMLNode) -> None:
    """Remove that folder once nothing is in it."""
    import vtk

    hierarchy = _hierarchy(scene)
    place = hierarchy.GetItemByDataNode(neighbour) if hierarchy else 0
    found = hierarchy.GetItemChildWithName(hierarchy.GetItemParent(place), folder) if place else 0
    children = vtk.vtkIdList()
    if found:
        hierarchy.GetItemChildren(found, children)
        if not children.GetNumberOfIds():
            hierarchy.RemoveItem(found)


def _put(hierarchy: object, node: vtkMRMLNode, parent: int) -> None:
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def _hierarchy(scene: vtkMRMLScene) -> object | None:
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
