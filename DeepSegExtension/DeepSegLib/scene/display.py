"""What the views show: a map over its image, a plot, a place. Everything goes through the nodes of views, so it works without any view, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from deepseg.api import Box
from DeepSegLib.scene.maps import TITLE, UNIT

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

_LEGEND_LABELS = 5
_FILLED = "DeepSeg.Filled"
"""Attribute of a segmentation's display node: whether its segments were filled before they were outlined."""


def show_overlay(scene: vtkMRMLScene, volume_node: vtkMRMLScalarVolumeNode | None, map_node: vtkMRMLScalarVolumeNode, opacity: float) -> None:
    """Lay a map over its image in all slice views, with its legend.

    Args:
        volume_node: what lies below; what is shown now where None.
        map_node: what lies above.
        opacity: of the map, 0 to 1.
    """
    before = {view.GetForegroundVolumeID() for view in _of_class(scene, "vtkMRMLSliceCompositeNode")}
    for view in _of_class(scene, "vtkMRMLSliceCompositeNode"):
        if volume_node is not None:
            view.SetBackgroundVolumeID(volume_node.GetID())
        view.SetForegroundVolumeID(map_node.GetID())
        view.SetForegroundOpacity(opacity)
    for name in before - {map_node.GetID(), None}:
        _set_legend(scene.GetNodeByID(name), False)
    _set_legend(map_node, True)


def hide_overlay(scene: vtkMRMLScene, map_node: vtkMRMLScalarVolumeNode) -> None:
    """Take a map out of all slice views, with its legend; other overlays stay."""
    for view in _of_class(scene, "vtkMRMLSliceCompositeNode"):
        if view.GetForegroundVolumeID() == map_node.GetID():
            view.SetForegroundVolumeID(None)
            view.SetForegroundOpacity(0.0)
    _set_legend(map_node, False)


def outline(segmentation: vtkMRMLSegmentationNode) -> None:
    """Show segments by their outlines in the slice views, so that they do not cover what lies below; `fill` shows them as before."""
    display = segmentation.GetDisplayNode()
    if display is not None:
        if display.GetAttribute(_FILLED) is None:
            display.SetAttribute(_FILLED, str(int(display.GetVisibility2DFill())))
        display.SetVisibility2DFill(False)


def fill(segmentation: vtkMRMLSegmentationNode) -> None:
    """Fill segments again, if they were before `outline`, also where that was before the scene was saved."""
    display = segmentation.GetDisplayNode()
    if display is not None and (filled := display.GetAttribute(_FILLED)) is not None:
        display.SetVisibility2DFill(filled == "1")
        display.RemoveAttribute(_FILLED)


def show_segmentation(segmentation: vtkMRMLSegmentationNode, in_3d: bool) -> None:
    """Show segments in the slice views and, where `in_3d`, as surfaces."""
    if segmentation.GetDisplayNode() is None:
        segmentation.CreateDefaultDisplayNodes()
    segmentation.GetDisplayNode().SetVisibility(True)
    if in_3d:
        segmentation.CreateClosedSurfaceRepresentation()


def shows_in_3d(segmentation: vtkMRMLSegmentationNode) -> bool:
    """Whether it has surfaces."""
    import slicer

    return segmentation.GetSegmentation().ContainsRepresentation(slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName())


def show_plot(scene: vtkMRMLScene, chart: vtkMRMLPlotChartNode) -> None:
    """Show a chart in the plot view, which the layout gets where it has none."""
    import slicer

    selections, layouts = _of_class(scene, "vtkMRMLSelectionNode"), _of_class(scene, "vtkMRMLLayoutNode")
    for selection in selections:
        selection.SetActivePlotChartID(chart.GetID())
    for layout in layouts:
        four_up, with_plot = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView, slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView
        conventional, conventional_plot = (
            slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView,
            slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView,
        )
        instead = {four_up: with_plot, conventional: conventional_plot}
        shows_plots = "vtkMRMLPlotViewNode" in (layout.GetCurrentLayoutDescription() or "")
        if not shows_plots:
            layout.SetViewArrangement(instead.get(layout.GetViewArrangement(), with_plot))
    for view in _of_class(scene, "vtkMRMLPlotViewNode"):
        view.SetPlotChartNodeID(chart.GetID())


def look_at(scene: vtkMRMLScene, position_ras_mm: Sequence[float]) -> None:
    """Move all slice views through a place and turn the 3D views' centre to it."""
    for view in _of_class(scene, "vtkMRMLSliceNode"):
        view.JumpSliceByCentering(*position_ras_mm)
    for camera in _of_class(scene, "vtkMRMLCameraNode"):
        focus, eye = camera.GetFocalPoint(), camera.GetPosition()
        if focus is None or eye is None:
            continue
        moved = [e + p - f for e, p, f in zip(eye, position_ras_mm, focus, strict=True)]
        camera.SetFocalPoint(*position_ras_mm)
        camera.SetPosition(*moved)
        camera.ResetClippingRange()


def box_in_view(scene: vtkMRMLScene, volume_node: vtkMRMLScalarVolumeNode) -> Box | None:
    """What the slice views show of a volume, as an upright box (RAS, mm): the extent of all of them together, cut to the volume's bounds.

    None where no slice view is shown, or they show nothing of the volume.
    """
    import numpy as np

    views = list(_of_class(scene, "vtkMRMLSliceNode"))
    views = [view for view in views if view.IsMappedInLayout()] or views  # those of other layouts are not seen
    corners = [
        [
            view.GetSliceToRAS().MultiplyPoint((x * view.GetFieldOfView()[0] / 2, y * view.GetFieldOfView()[1] / 2, 0, 1))[:3]
            for x in (-1, 1)
            for y in (-1, 1)
        ]
        for view in views
    ]
    if not corners:
        return None
    bounds = [0.0] * 6
    volume_node.GetRASBounds(bounds)
    seen = np.array(corners)  # (views, 4, 3)
    # Each view tells two axes and only a plane of the third, so an axis is what the narrowest view that shows an extent of it shows.
    low, high = seen.min(axis=1), seen.max(axis=1)
    extent = np.where(high - low > 1e-3, high - low, np.inf)
    narrowest = extent.argmin(axis=0)
    low = np.maximum([low[narrowest[axis], axis] for axis in range(3)], bounds[::2])
    high = np.minimum([high[narrowest[axis], axis] for axis in range(3)], bounds[1::2])
    if not np.isfinite(extent.min(axis=0)).all() or (high <= low).any():
        return None
    return Box(tuple(low.tolist()), tuple(high.tolist()))


def _set_legend(node: vtkMRMLNode | None, visible: bool) -> None:
    import slicer

    if node is None or node.GetDisplayNode() is None:
        return
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    if legend is None:
        if not visible:
            return
        legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
    if visible and legend is not None:
        unit = node.GetAttribute(UNIT)
        legend.SetTitleText(f"{node.GetAttribute(TITLE) or node.GetName()}{f' ({unit})' if unit and unit != '1' else ''}")
        legend.SetNumberOfLabels(_LEGEND_LABELS)
        legend.SetLabelFormat("%.3g")
    if legend is not None:
        legend.SetVisibility(visible)


def _of_class(scene: vtkMRMLScene, name: str) -> Iterator[Any]:
    nodes = scene.GetNodesByClass(name)
    nodes.UnRegister(None)
    return iter([nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())])
