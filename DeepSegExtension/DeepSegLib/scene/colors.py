"""Colours of maps: nodes of the scene, made once, so that a saved map keeps them where DeepSeg is not installed.

Both are readable to people who see few colours and keep their order in grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from slicer import vtkMRMLColorTableNode, vtkMRMLScene

_COUNT = 256
_CLEAR = {"DeepSeg evidence": (0.46, 0.54)}
"""The part of the range that is clear; a volume's colours are either clear or not."""
_ANCHORS = {
    # Dark violet over orange to pale yellow: lightness grows evenly with doubt.
    "DeepSeg doubt": ((0.05, 0.03, 0.20), (0.34, 0.06, 0.43), (0.73, 0.22, 0.33), (0.95, 0.52, 0.10), (0.99, 0.95, 0.65)),
    # Blue speaks against, white is silent and clear, so that the anatomy shows, orange speaks for it.
    "DeepSeg evidence": ((0.02, 0.19, 0.38), (0.26, 0.58, 0.76), (0.97, 0.97, 0.97), (0.88, 0.51, 0.08), (0.50, 0.23, 0.03)),
}


def doubt_colors(scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    """For maps that begin at 0."""
    return _table(scene, "DeepSeg doubt")


def evidence_colors(scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    """For maps with a sign; 0 in the middle."""
    return _table(scene, "DeepSeg evidence")


def _table(scene: vtkMRMLScene, name: str) -> vtkMRMLColorTableNode:
    import slicer

    tables = scene.GetNodesByClassByName("vtkMRMLColorTableNode", name)
    tables.UnRegister(None)
    if tables.GetNumberOfItems():
        return tables.GetItemAsObject(0)
    node = slicer.vtkMRMLColorTableNode()
    node.SetTypeToUser()
    node.SetName(name)
    node.SetAttribute("Category", "DeepSeg")
    node.SetHideFromEditors(False)
    node.SetNumberOfColors(_COUNT)
    node.GetLookupTable().SetTableRange(0, _COUNT - 1)
    anchors = np.array(_ANCHORS[name])
    places, steps = np.linspace(0, 1, len(anchors)), np.linspace(0, 1, _COUNT)
    red, green, blue = (np.interp(steps, places, anchors[:, channel]) for channel in range(3))
    low, high = _CLEAR.get(name, (1.0, 0.0))
    cover = ~((steps > low) & (steps < high))
    for n in range(_COUNT):
        node.SetColor(n, str(n), float(red[n]), float(green[n]), float(blue[n]), float(cover[n]))
    return scene.AddNode(node)
