"""Figures that people would rather look at, as plot nodes: how well probabilities hold, and how far an explanation can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deepseg.api import Explanation, ReliabilityCurve
from DeepSegLib.scene.maps import folder_name
from DeepSegLib.scene.names import free_name
from DeepSegLib.scene.origin import nodes_about, speak_of
from DeepSegLib.scene.subject_hierarchy import place_in_folder
from DeepSegLib.scene.tables import fill
from DeepSegLib.translation import _

if TYPE_CHECKING:
    from slicer import vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

RELIABILITY, FAITHFULNESS = "reliability plot", "faithfulness plot"
RELIABILITY_PART = f"part of a {RELIABILITY}"
PLOT_ROLE = "DeepSeg.Plot"
"""Node reference from a map to the chart that tells how far it can be believed."""
_COLORS = ((0.84, 0.37, 0.0), (0.0, 0.45, 0.70), (0.0, 0.62, 0.45), (0.80, 0.47, 0.65), (0.90, 0.62, 0.0), (0.34, 0.71, 0.91))
"""Okabe and Ito 2008, told apart with every kind of colour vision."""
_GREY = (0.5, 0.5, 0.5)
Curve = tuple[str, Sequence[float], Sequence[float], tuple[float, float, float], bool]
"""Title, x, y, colour, and whether it is drawn dashed."""


def write_reliability(scene: vtkMRMLScene, curves: Sequence[ReliabilityCurve], segmentation: vtkMRMLSegmentationNode) -> vtkMRMLPlotChartNode:
    """How often the model is right where it says so many per cent, on held-out cases; dashed: before recalibration."""
    labels = list(dict.fromkeys(curve.label for curve in curves))
    lines: list[Curve] = [(_("perfect"), (0.0, 1.0), (0.0, 1.0), _GREY, True)]
    for curve in curves:
        raw = curve.method == "none"
        title = _("{label}, as the network says").format(label=curve.label) if raw else curve.label
        lines.append((title, curve.predicted, curve.observed, _COLORS[labels.index(curve.label) % len(_COLORS)], raw))
    cases = max((curve.cases for curve in curves), default=0)
    texts = (_("Reliability on {count} held-out cases").format(count=cases), _("predicted probability"), _("share that was right"))
    return _write(scene, RELIABILITY, texts, lines, segmentation)


def write_faithfulness(
    scene: vtkMRMLScene, found: Explanation, segmentation: vtkMRMLSegmentationNode, map_node: vtkMRMLScalarVolumeNode
) -> vtkMRMLPlotChartNode | None:
    """What becomes of the model's certainty as the voxels that a map marks are taken away or given back; None where that was not tested."""
    curves = [check for check in found.checks if check.curve]
    if not curves:
        return None
    lines: list[Curve] = [
        (check.name, [x for x, _y in check.curve], [y for _x, y in check.curve], _COLORS[n % len(_COLORS)], False) for n, check in enumerate(curves)
    ]
    texts = (_("Faithfulness: {method}").format(method=found.title), _("share of the voxels"), _("certainty that is left"))
    chart = _write(scene, FAITHFULNESS, texts, lines, segmentation)
    map_node.SetNodeReferenceID(PLOT_ROLE, chart.GetID())
    return chart


def chart_about(scene: vtkMRMLScene, segmentation: vtkMRMLSegmentationNode, role: str) -> vtkMRMLPlotChartNode | None:
    """The segmentation's chart of that role."""
    found = nodes_about(scene, segmentation, role)
    return found[-1] if found else None


def _write(
    scene: vtkMRMLScene, role: str, texts: tuple[str, str, str], lines: Sequence[Curve], segmentation: vtkMRMLSegmentationNode
) -> vtkMRMLPlotChartNode:
    """A chart with its lines, each a series with a table of its own."""
    import slicer

    title, x_title, y_title = texts
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", free_name(scene, f"{segmentation.GetName()}: {role}"))
    speak_of(chart, segmentation, role, {})
    place_in_folder(scene, chart, folder_name(segmentation), segmentation)
    chart.SetTitle(title)
    chart.SetXAxisTitle(x_title)
    chart.SetYAxisTitle(y_title)
    for title, x, y, color, dashed in lines:
        table = _part(scene, "vtkMRMLTableNode", f"{chart.GetName()}: {title}", segmentation, role)
        fill(table, ((x_title, float), (y_title, float)), list(zip(x, y, strict=True)))
        series = _part(scene, "vtkMRMLPlotSeriesNode", title, segmentation, role)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(x_title)
        series.SetYColumnName(y_title)
        series.SetColor(*color)
        series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleDash if dashed else slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
        series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
        series.SetLineWidth(2)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    for set_automatic, set_range in (
        (chart.SetXAxisRangeAuto, chart.SetXAxisRange),
        (chart.SetYAxisRangeAuto, chart.SetYAxisRange),
    ):
        set_automatic(False)
        set_range(0.0, 1.0)
    return chart


def _part(scene: vtkMRMLScene, kind: str, name: str, segmentation: vtkMRMLSegmentationNode, role: str) -> Any:
    """A node that only a chart needs: not listed among the user's own."""
    node = scene.AddNewNodeByClass(kind, free_name(scene, name))
    node.SetHideFromEditors(True)
    speak_of(node, segmentation, f"part of a {role}", {})
    return node
