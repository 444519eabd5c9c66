"""Slicer's own widgets as names of the module `slicer`."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from panels.slicer_stand_in.mrml_markups_place import MarkupsPlaceWidget
from panels.slicer_stand_in.mrml_node_combo_box import NodeComboBox
from panels.slicer_stand_in.mrml_scene_widget import SceneWidget
from panels.slicer_stand_in.mrml_segment_editor import SegmentEditorWidget
from panels.slicer_stand_in.mrml_segment_selector import SegmentSelectorWidget
from panels.slicer_stand_in.mrml_segments_table import SegmentsTableView
from panels.slicer_stand_in.mrml_show_3d_button import SegmentationShow3DButton
from panels.slicer_stand_in.mrml_table_view import MrmlTableView
from panels.slicer_stand_in.proxy_classes import make_class


class SlicerWidget(SceneWidget):
    """qSlicerWidget."""


_CLASSES = {
    "qMRMLWidget": ("QWidget", SceneWidget),
    "qSlicerWidget": ("QWidget", SlicerWidget),
    "qMRMLNodeComboBox": ("QWidget", NodeComboBox),
    "qMRMLSegmentsTableView": ("QWidget", SegmentsTableView),
    "qMRMLSegmentSelectorWidget": ("QWidget", SegmentSelectorWidget),
    "qMRMLSegmentationShow3DButton": ("QPushButton", SegmentationShow3DButton),
    "qMRMLTableView": ("QTableView", MrmlTableView),
    "qSlicerMarkupsPlaceWidget": ("QWidget", MarkupsPlaceWidget),
    "qMRMLSegmentEditorWidget": ("QWidget", SegmentEditorWidget),
    "qMRMLSliderWidget": ("QWidget", None),
    "qMRMLRangeWidget": ("QWidget", None),
    "qMRMLSpinBox": ("QWidget", None),
}


def build(qt: ModuleType) -> dict[str, Any]:
    """The classes by name. Those without a widget exist for comparisons of types only."""
    return {name: make_class("slicer", name, getattr(qt, base), real_class) for name, (base, real_class) in _CLASSES.items()}
