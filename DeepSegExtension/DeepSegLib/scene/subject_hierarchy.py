"""Where results stand in the subject hierarchy: beside what they were made from, and maps and tables in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def folders_of(scene: vtkMRMLScene, nodes: Sequence[vtkMRMLNode | None]) -> set[int]:
    """The folders that nodes stand in."""
    hierarchy = _hierarchy(scene)
    items = {hierarchy.GetItemByDataNode(node) for node in nodes if node is not None} if hierarchy else set()
    parents = {hierarchy.GetItemParent(item) for item in items if item}
    return {item for item in parents if item and hierarchy.IsItemLevel(item, "Folder")}


def remove_empty(scene: vtkMRMLScene, folders: Iterable[int]) -> None:
    """Remove those folders that nothing is in any more."""
    import vtk

    hierarchy = _hierarchy(scene)
    for folder in folders:
        children = vtk.vtkIdList()
        hierarchy.GetItemChildren(folder, children)
        items = [children.GetId(n) for n in range(children.GetNumberOfIds())]
        # Without Slicer's application the item of a node that is gone stays.
        nodes = [hierarchy.GetItemDataNode(item) for item in items]
        here = any(node is not None and scene.IsNodePresent(node) for node in nodes)
        if not here and not any(hierarchy.IsItemLevel(item, "Folder") for item in items):
            hierarchy.RemoveItem(folder)


def _put(hierarchy: object, node: vtkMRMLNode, parent: int) -> None:
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def _hierarchy(scene: vtkMRMLScene) -> object | None:
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
