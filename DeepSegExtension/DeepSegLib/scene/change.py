"""What one result changes in a scene: taken back at once where writing it fails, and later where the user asks."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from DeepSegLib.scene.origin import INPUT_VOLUME_ROLE, ROLE
from DeepSegLib.scene.removing import remove_with_parts
from DeepSegLib.scene.segments import segments_time
from DeepSegLib.scene.subject_hierarchy import folders_of, remove_empty

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene, vtkMRMLSegmentationNode


class SceneChange:
    """Used as `with SceneChange(scene, node) as change:` around the writing of a result."""

    def __init__(self, scene: vtkMRMLScene, segmentation: vtkMRMLSegmentationNode | None = None) -> None:
        """`segmentation` is one that the result may change; None where it changes none that exists."""
        self.scene, self._segmentation = scene, segmentation
        self._before = _ids(scene)
        self._added: list[str] = []
        self._content = _Content(segmentation) if segmentation else None
        self._retired: list[tuple[vtkMRMLNode, str, str, bool]] = []
        self._time_after = 0

    def __enter__(self) -> SceneChange:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._added = [name for name in _ids(self.scene) if name not in set(self._before)]
        if kind is not None:
            self.undo()
        self._time_after = self._edited()

    def retire(self, node: vtkMRMLNode) -> None:
        """Take a node out of sight that the result replaces; it is kept until `forget`, so that undoing can bring it back."""
        self._retired.append((node, node.GetName(), node.GetAttribute(ROLE), bool(node.GetHideFromEditors())))
        node.SetAttribute(ROLE, "retired")
        node.SetName(f"{node.GetName()} (earlier)")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)

    def forget(self) -> None:
        """Remove what was retired for good: this can no longer be undone in full."""
        for node, *_rest in self._retired:
            if self.scene.IsNodePresent(node):
                remove_with_parts(self.scene, node)
        self._retired = []

    @property
    def segmentation(self) -> vtkMRMLSegmentationNode | None:
        """The segmentation that was changed or added, if it is still there."""
        if self._segmentation is not None:
            return self._segmentation if self.scene.IsNodePresent(self._segmentation) else None
        added = [self.scene.GetNodeByID(name) for name in self._added]
        return next((node for node in added if node is not None and node.IsA("vtkMRMLSegmentationNode")), None)

    @property
    def edited_since(self) -> bool:
        """Whether somebody has drawn in the segments since: undoing would take that back, too."""
        return self._edited() != self._time_after

    def undo(self) -> None:
        """Bring the scene back to what it was before, as far as this result changed it."""
        folders = folders_of(self.scene, [self.scene.GetNodeByID(name) for name in self._added])
        if self._content and self.scene.IsNodePresent(self._segmentation):
            self._content.restore()
        for name in self._added:  # a sequence before what shows it: otherwise its browser would make that anew
            node = self.scene.GetNodeByID(name)
            if node is not None and not node.IsA("vtkMRMLColorNode"):  # another result's maps may use the colours, too
                remove_with_parts(self.scene, node)
        remove_empty(self.scene, folders)
        for node, name, role, hidden in self._retired:
            node.SetAttribute(ROLE, role)
            node.SetName(name)
            node.SetHideFromEditors(hidden)
            node.SetSaveWithScene(True)
        self._added, self._retired = [], []

    def _edited(self) -> int:
        node = self.segmentation
        return segments_time(node) if node else 0


class _Content:
    """A segmentation as it was: its segments, how they are shown, what made them."""

    def __init__(self, node: vtkMRMLSegmentationNode) -> None:
        import slicer

        self._node = node
        # A copy: removing a segment from a node changes the label map that it shares with others.
        self._segmentation = slicer.vtkSegmentation()
        self._segmentation.DeepCopy(node.GetSegmentation())
        self._display = None
        if display := node.GetDisplayNode():
            self._display = slicer.vtkMRMLSegmentationDisplayNode()
            self._display.CopyContent(display)
        self._attributes = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        self._volumes = [node.GetNthNodeReferenceID(INPUT_VOLUME_ROLE, n) for n in range(node.GetNumberOfNodeReferences(INPUT_VOLUME_ROLE))]
        self._grid = node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole())
        self._transform = node.GetTransformNodeID()

    def restore(self) -> None:
        node = self._node
        was_modifying = node.StartModify()
        try:
            node.GetSegmentation().DeepCopy(self._segmentation)
            for name in set(node.GetAttributeNames()) - set(self._attributes):
                node.RemoveAttribute(name)
            for name, value in self._attributes.items():
                node.SetAttribute(name, value)
            node.RemoveNodeReferenceIDs(INPUT_VOLUME_ROLE)
            for volume in self._volumes:
                node.AddNodeReferenceID(INPUT_VOLUME_ROLE, volume)
            node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), self._grid)
            node.SetAndObserveTransformNodeID(self._transform)
        finally:
            node.EndModify(was_modifying)
        if self._display and node.GetDisplayNode():
            node.GetDisplayNode().CopyContent(self._display)


def _ids(scene: vtkMRMLScene) -> list[str]:
    nodes = scene.GetNodes()
    return [nodes.GetItemAsObject(n).GetID() for n in range(nodes.GetNumberOfItems())]
