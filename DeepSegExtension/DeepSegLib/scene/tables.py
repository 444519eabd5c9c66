"""Segments and regions of doubt as table nodes: what people read, sort, export as CSV and mark as reviewed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deepseg.api import UncertainRegion, Uncertainty
from DeepSegLib.scene.maps import folder_name
from DeepSegLib.scene.names import free_name
from DeepSegLib.scene.origin import nodes_about, speak_of
from DeepSegLib.scene.subject_hierarchy import place_in_folder
from DeepSegLib.translation import _

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLTableNode

SEGMENTS_TABLE, REGIONS_TABLE = "table of segments", "table of regions"
TOLD = "DeepSeg.Told"
"""Attribute of the table of segments: how the figures were made, and sentences, as JSON."""
REVIEWED = "reviewed"

# Names of columns are for scripts, so they stay as they are in every language.
_SEGMENT_COLUMNS = (
    ("segment", str),
    ("volume_ml", float),
    ("volume_low_ml", float),
    ("volume_high_ml", float),
    ("likeliest_ml", float),
    ("level", float),
    ("expected_dice", float),
    ("dice_low", float),
    ("dice_high", float),
    ("verdict", str),
    ("mean_entropy_nats", float),
    ("flags", str),
)
_REGION_COLUMNS = (
    ("rank", int),
    ("segment", str),
    ("r_mm", float),
    ("a_mm", float),
    ("s_mm", float),
    ("size_ml", float),
    ("change_ml", float),
    ("measure", str),
    ("mean", float),
    ("largest", float),
    (REVIEWED, int),
)
Columns = Sequence[tuple[str, type]]
Row = dict[str, Any]


def write_segments_table(
    scene: vtkMRMLScene, result: Uncertainty, segmentation: vtkMRMLSegmentationNode, attributes: Mapping[str, str]
) -> vtkMRMLTableNode:
    """A row for each segment and each group of segments; figures that were not calibrated are nan."""
    rows = []
    for report in result.reports:
        low, high = report.volume_interval_ml or (None, None)
        dice_low, dice_high = report.dice_interval or (None, None)
        rows.append(
            (
                *(report.name, report.volume_ml, low, high, report.likeliest_ml, report.level, report.expected_dice, dice_low, dice_high),
                *(report.verdict or "", report.mean_entropy, ", ".join(report.flags)),
            )
        )
    told = {
        **{name: getattr(result, name) for name in ("sampler", "samples", "seed", "calibrated")},
        "findings": [finding.told for finding in result.findings],
        "notes": list(result.notes),
    }
    title = _("{name}: segments").format(name=segmentation.GetName())
    return _write(scene, title, SEGMENTS_TABLE, _SEGMENT_COLUMNS, rows, segmentation, {**attributes, TOLD: json.dumps(told)})


def write_regions_table(
    scene: vtkMRMLScene, regions: Sequence[UncertainRegion], segmentation: vtkMRMLSegmentationNode, attributes: Mapping[str, str]
) -> vtkMRMLTableNode:
    """A row for each region of doubt, those first that could change most; positions are RAS in mm."""
    rows = [(n, r.label.name, *r.position_ras_mm, r.size_ml, r.change_ml, r.measure, r.mean, r.largest, 0) for n, r in enumerate(regions, start=1)]
    title = _("{name}: regions of doubt").format(name=segmentation.GetName())
    return _write(scene, title, REGIONS_TABLE, _REGION_COLUMNS, rows, segmentation, attributes)


def table_about(scene: vtkMRMLScene, segmentation: vtkMRMLSegmentationNode, role: str) -> vtkMRMLTableNode | None:
    """The segmentation's table of that role."""
    found = nodes_about(scene, segmentation, role)
    return found[-1] if found else None


def rows_of(table: vtkMRMLTableNode) -> list[Row]:
    """A table's rows, values by column; numbers as numbers, nan where there is none."""
    rows, columns = [], range(table.GetNumberOfColumns())
    for n in range(table.GetNumberOfRows()):
        row = {}
        for column in columns:
            value = table.GetTable().GetValue(n, column)
            row[table.GetColumnName(column)] = value.ToString() if value.IsString() else value.ToDouble()
        rows.append(row)
    return rows


def told_of(table: vtkMRMLTableNode) -> dict[str, Any]:
    """How the figures in a table of segments were made; empty where it does not say."""
    try:
        told = json.loads(table.GetAttribute(TOLD) or "{}")
    except ValueError:
        told = {}
    return told if isinstance(told, dict) else {}


def mark_reviewed(table: vtkMRMLTableNode, row: int, reviewed: bool) -> None:
    """Note in the scene that somebody has looked at a region."""
    table.GetTable().GetColumnByName(REVIEWED).SetValue(row, int(reviewed))
    table.GetTable().Modified()
    table.Modified()


def _write(
    scene: vtkMRMLScene,
    title: str,
    role: str,
    columns: Columns,
    rows: Sequence[Sequence[Any]],
    segmentation: vtkMRMLSegmentationNode,
    attributes: Mapping[str, str],
) -> vtkMRMLTableNode:
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", free_name(scene, title))
    fill(node, columns, rows)
    speak_of(node, segmentation, role, attributes)
    place_in_folder(scene, node, folder_name(segmentation), segmentation)
    return node


def fill(node: vtkMRMLTableNode, columns: Columns, rows: Sequence[Sequence[Any]]) -> None:
    """Let a table node hold these columns and rows; None becomes nan."""
    import vtk

    kinds = {str: vtk.vtkStringArray, float: vtk.vtkDoubleArray, int: vtk.vtkIntArray}
    table = vtk.vtkTable()
    for number, (name, kind) in enumerate(columns):
        array = kinds[kind]()
        array.SetName(name)
        array.SetNumberOfValues(len(rows))
        for n, row in enumerate(rows):
            value = row[number]
            array.SetValue(n, value if kind is not float else float("nan") if value is None else float(value))
        table.AddColumn(array)
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
