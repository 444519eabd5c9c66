"""Names of new nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLScene


def free_name(scene: vtkMRMLScene, name: str) -> str:
    """The name itself where no node has it, else with a number. The scene's own way numbers a name on though it has become free again."""
    taken = scene.GetFirstNodeByName(name) is not None
    return scene.GenerateUniqueName(name) if taken else name
