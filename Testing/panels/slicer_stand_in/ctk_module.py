"""The module `ctk`: CTK's widgets as PythonQt shows them. A class that panels do not use exists by name only, for comparisons of types."""

from __future__ import annotations

from types import ModuleType

from panels.slicer_stand_in import ctk_choices, ctk_collapsible, ctk_paths, ctk_sliders
from panels.slicer_stand_in.proxy_classes import make_class
from panels.slicer_stand_in.session import NotInStandIn

_CLASSES = {
    "ctkCollapsibleButton": ("QAbstractButton", ctk_collapsible.CollapsibleButton),
    "ctkCollapsibleGroupBox": ("QGroupBox", ctk_collapsible.CollapsibleGroupBox),
    "ctkSliderWidget": ("QWidget", ctk_sliders.SliderWidget),
    "ctkRangeWidget": ("QWidget", ctk_sliders.RangeWidget),
    "ctkDoubleSpinBox": ("QWidget", ctk_sliders.DoubleSpinBox),
    "ctkComboBox": ("QComboBox", ctk_choices.ComboBox),
    "ctkCheckableComboBox": ("QComboBox", ctk_choices.CheckableComboBox),
    "ctkPathLineEdit": ("QWidget", ctk_paths.PathLineEdit),
    "ctkDirectoryButton": ("QWidget", ctk_paths.DirectoryButton),
    "ctkCheckBox": ("QCheckBox", None),
    "ctkDoubleSlider": ("QWidget", None),
    "ctkDoubleRangeSlider": ("QWidget", None),
}


def build(qt: ModuleType) -> ModuleType:
    """A new module `ctk` on top of `qt`."""
    module = ModuleType("ctk", "CTK as PythonQt shows it: a stand-in.")
    for name, (base, real_class) in _CLASSES.items():
        setattr(module, name, make_class("ctk", name, getattr(qt, base), real_class))

    def refuse(name: str) -> None:
        if name.startswith("ctk"):
            raise NotInStandIn(f"the class ctk.{name}")
        raise AttributeError(f"module 'ctk' has no attribute '{name}'")

    module.__getattr__ = refuse
    return module
