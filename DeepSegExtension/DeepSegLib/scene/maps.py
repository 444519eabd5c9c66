"""Maps of doubt and of evidence as volume nodes that speak of a segmentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deepseg.api import Explanation, Geometry, UncertaintyMap
from DeepSegLib.nodes import ijk_to_parent, set_image
from DeepSegLib.scene.colors import doubt_colors, evidence_colors
from DeepSegLib.scene.names import free_name
from DeepSegLib.scene.origin import nodes_about, speak_of
from DeepSegLib.scene.subject_hierarchy import place_in_folder
from DeepSegLib.translation import _

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

DOUBT_MAP, EVIDENCE_MAP = "map of doubt", "map of evidence"
MEASURE, KIND, UNIT, TITLE, EXPLANATION = "DeepSeg.Measure", "DeepSeg.Kind", "DeepSeg.Unit", "DeepSeg.Title", "DeepSeg.Explanation"
_HIGHEST = 99.9
"""Percentile of what lies above zero that gets the last colour: single voxels do not darken the rest."""
_SILENT = 0.05
"""Share of the range that is drawn transparent, so that the anatomy shows where nothing is to be said."""


def write_doubt_map(
    scene: vtkMRMLScene,
    found: UncertaintyMap,
    segmentation: vtkMRMLSegmentationNode,
    volume_node: vtkMRMLScalarVolumeNode,
    attributes: Mapping[str, str],
) -> vtkMRMLScalarVolumeNode:
    """A map of doubt as a new volume node.

    Args:
        scene: where the nodes live.
        found: on the volume's voxels.
        segmentation: what it speaks of.
        volume_node: what was segmented.
        attributes: what made the map, and of which segments.
    """
    node = _new_node(scene, f"{segmentation.GetName()}: {found.title}")
    told = {MEASURE: found.measure, KIND: found.kind, UNIT: found.unit, TITLE: found.title}
    _write(scene, node, found.values, found.geometry, segmentation, volume_node)
    speak_of(node, segmentation, DOUBT_MAP, {**attributes, **told})
    display = node.GetDisplayNode()
    top = min(_rounded_up(_percentile(found.values)), found.largest)
    display.SetAndObserveColorNodeID(doubt_colors(scene).GetID())
    _set_range(display, 0.0, top)
    display.SetThreshold(_SILENT * top, max(float(found.values.max()), top))
    display.ApplyThresholdOn()
    return node


def write_evidence_map(
    scene: vtkMRMLScene, found: Explanation, segmentation: vtkMRMLSegmentationNode, volume_node: vtkMRMLScalarVolumeNode
) -> vtkMRMLScalarVolumeNode:
    """An explanation as a new volume node, colours even on both sides of 0."""
    node = _new_node(scene, f"{segmentation.GetName()}: {found.question} ({found.method})")
    _write(scene, node, found.values, found.geometry, segmentation, volume_node)
    checks = [{"name": c.name, "passed": c.passed, "told": c.told} for c in found.checks]
    told = {"question": found.question, "title": found.title, "method": found.method, "layer": found.layer, "checks": checks, "notes": found.notes}
    speak_of(node, segmentation, EVIDENCE_MAP, {**found.provenance, TITLE: found.title, UNIT: "1", EXPLANATION: json.dumps(told)})
    display = node.GetDisplayNode()
    top = _percentile(np.abs(found.values)) or 1.0
    display.SetAndObserveColorNodeID(evidence_colors(scene).GetID())
    _set_range(display, -top, top)
    display.ApplyThresholdOff()
    return node


def maps_of_doubt(scene: vtkMRMLScene, segmentation: vtkMRMLSegmentationNode) -> dict[str, vtkMRMLScalarVolumeNode]:
    """The segmentation's maps of doubt that hold an image, by measure."""
    return {node.GetAttribute(MEASURE): node for node in nodes_about(scene, segmentation, DOUBT_MAP) if node.GetAttribute(MEASURE)}


def folder_name(segmentation: vtkMRMLSegmentationNode) -> str:
    """Name of the folder with what speaks of a segmentation."""
    return _("DeepSeg: {name}").format(name=segmentation.GetName())


def _new_node(scene: vtkMRMLScene, name: str) -> vtkMRMLScalarVolumeNode:
    return scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", free_name(scene, name))


def _write(
    scene: vtkMRMLScene,
    node: vtkMRMLScalarVolumeNode,
    values: np.ndarray,
    geometry: Geometry,
    segmentation: vtkMRMLSegmentationNode,
    volume_node: vtkMRMLScalarVolumeNode,
) -> None:
    """Voxels, cut to where the map says something, and the place: that of the volume, whose transforms move the map, too."""
    where = _said(values)
    part = geometry.cropped(tuple(s.start for s in where), tuple(s.stop - s.start for s in where))
    # The grid of the map seen from below the volume's transforms.
    to_parent = ijk_to_parent(volume_node) @ np.linalg.inv(geometry.ijk_to_ras) @ part.ijk_to_ras
    set_image(node, np.ascontiguousarray(values[where]), to_parent)
    node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    place_in_folder(scene, node, folder_name(segmentation), segmentation)


def _said(values: np.ndarray) -> tuple[slice, slice, slice]:
    """The box of voxels that are not zero; the first voxel where all are."""
    bounds = []
    for axes in ((1, 2), (0, 2), (0, 1)):
        places = np.flatnonzero(values.any(axis=axes))
        bounds.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 1))
    return tuple(bounds)


def _percentile(values: np.ndarray) -> float:
    above = values[values > 0]
    return float(np.percentile(above, _HIGHEST)) if len(above) else 0.0


def _rounded_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 times a power of ten: a range that a legend can tell."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 1.5, 2, 3, 5, 7.5, 10) if step * power >= value * (1 - 1e-9)))


def _set_range(display: object, low: float, high: float) -> None:
    """Colours from `low` to `high`."""
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(low, high)
    display.SetInterpolate(True)
