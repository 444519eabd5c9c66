"""No class of the stand-in offers a property, signal or slot that Slicer 5.8.1's class of that name lacks, nor another kind of access to one."""

import pytest

from panels.slicer_stand_in.api import recorded, recorded_classes
from panels.slicer_stand_in.qt_methods import METHODS
from panels.slicer_stand_in.session import NotInStandIn

PYTHONS = {"int": int, "double": float, "bool": bool, "QString": str, "QStringList": tuple}
WRITTEN_IN_PYTHON = {
    "QObject": {"connect", "disconnect", "findChild", "findChildren", "delete"},
    "QWidget": {"setToolTip"},
    "QTimer": {"singleShot"},
    "QMenu": {"exec", "exec_"},
    "QFileDialog": {"getExistingDirectory", "getOpenFileName", "getOpenFileNames", "getSaveFileName"},
    "QMessageBox": {"question", "information", "warning", "critical", "exec", "exec_"},
    "QDesktopServices": {"openUrl"},
}
CLASSES = [name for name, entry in recorded_classes().items() if "properties" in entry]


def _class(name):
    import ctk
    import qt
    import slicer

    module, class_name = name.split(".")
    return getattr({"qt": qt, "ctk": ctk, "slicer": slicer}[module], class_name)


@pytest.mark.parametrize("name", CLASSES)
def test_only_recorded_names_are_offered(name, a_slicer):
    cls, known = _class(name), recorded(name)

    assert (cls._api.properties, cls._api.signals) == (known.properties, known.signals)
    added = set(cls._api.slots) - set(known.slots)
    if not name.startswith("qt."):
        assert not added
    written = {method for method, value in vars(cls).items() if not method.startswith("_") and (callable(value) or isinstance(value, staticmethod))}
    assert written <= WRITTEN_IN_PYTHON.get(cls.__name__, set())


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in ("qt.QFileDialog", "qt.QFrame")])
def test_properties_have_the_recorded_types_and_access(name, a_slicer):
    instance = _class(name)()

    for property_name, (kind, writable) in recorded(name).properties.items():
        try:
            value = getattr(instance, property_name)
        except NotInStandIn:
            continue
        if kind in PYTHONS and property_name not in WRITTEN_IN_PYTHON.get(type(instance).__name__, ()):
            assert type(value) is PYTHONS[kind], property_name
        if not writable:
            with pytest.raises(AttributeError, match="is not writable"):
                setattr(instance, property_name, value)


@pytest.mark.parametrize("name", CLASSES)
def test_signals_can_be_connected_or_are_named_as_missing(name, a_slicer):
    instance = _class(name)()

    for overloads in recorded(name).signals.values():
        for signature in overloads:
            try:
                assert instance.connect(signature, print)
            except NotInStandIn as missing:
                assert signature in str(missing)


@pytest.mark.parametrize("name", METHODS)
def test_listed_methods_exist(name, a_slicer):
    cls = _class(f"qt.{name}")

    assert not [method for method in METHODS[name].split() if not hasattr(cls._real_class, method)]


def test_what_slicer_lacks_is_refused_and_what_the_stand_in_lacks_is_named(a_slicer):
    import ctk
    import qt
    import slicer

    with pytest.raises(AttributeError, match="qMRMLNodeComboBox has no attribute named 'setNodeTypes'"):
        slicer.qMRMLNodeComboBox().setNodeTypes(["vtkMRMLNode"])
    with pytest.raises(NotInStandIn, match=r"ctkSliderWidget\.popupSlider"):
        assert ctk.ctkSliderWidget().popupSlider
    with pytest.raises(NotInStandIn, match=r"qt\.QCalendarWidget"):
        qt.QCalendarWidget()
    with pytest.raises(NotInStandIn, match="ctkColorPickerButton"):
        ctk.ctkColorPickerButton()
