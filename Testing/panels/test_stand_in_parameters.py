"""The stand-in's parameterNodeWrapper stores what Slicer 5.8.1's stores, to the letter, and binds widgets as it does."""

import enum
import pathlib
from typing import Annotated, Optional, Union

import pytest


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"

    def label(self):
        return self.name.title()


@pytest.fixture
def a_node(a_slicer):
    return a_slicer.scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")


@pytest.fixture
def a_class(a_slicer):
    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange, parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        labels: Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007 - what Slicer 5.8.1 knows
        name: str = "head"
        count: Annotated[int, Minimum(1)] = 3
        fraction: Annotated[float, WithinRange(0, 1)] = 0.5
        shown: bool = True
        folder: pathlib.Path = pathlib.Path("/tmp")
        colour: Colour = Colour.BLUE
        way: Annotated[str, Choice(["fast", "slow"]), Default("slow")]
        limit: Optional[float]  # noqa: UP045 - as above

    return Parameters


def test_stored_as_slicer_stores_it(a_class, a_node, a_slicer):
    parameters = a_class(a_node)

    stored = {name: a_node.GetParameter(name) for name in a_node.GetParameterNames()}
    assert stored == {
        "volume": "",
        "labels.2": "True",
        "name": "head",
        "count": "3",
        "fraction": "0.5",
        "shown": "True",
        "folder": "/tmp",
        "colour": "BLUE",
        "way": "slow",
        "limit.1": "True",
    }
    volume = a_slicer.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")
    labels = a_slicer.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    parameters.volume, parameters.labels, parameters.shown, parameters.limit = volume, labels, False, 2.5
    assert a_node.GetNodeReferenceID("volume") == volume.GetID()
    assert (a_node.GetNodeReferenceID("labels.1"), a_node.HasParameter("labels.2")) == (labels.GetID(), 0)
    assert (a_node.GetParameter("shown"), a_node.GetParameter("limit.0"), a_node.HasParameter("limit.1")) == ("False", "2.5", 0)
    assert parameters.labels is labels
    parameters.limit = 3
    assert (a_node.GetParameter("limit.0"), parameters.limit) == ("3", 3.0)


def test_what_is_stored_is_read(a_class, a_node):
    a_node.SetParameter("count", "7")
    a_node.SetParameter("colour", "RED")

    parameters = a_class(a_node)
    assert (parameters.count, parameters.colour) == (7, Colour.RED)

    a_node.SetParameter("name", "neck")
    assert parameters.name == "neck"
    a_node.UnsetParameter("name")
    assert parameters.name == "head"


def test_wrong_values_are_refused_in_slicers_words(a_class, a_node):
    parameters = a_class(a_node)

    with pytest.raises(ValueError, match=r"Value must be within range \[0, 1\], is 2"):
        parameters.fraction = 2
    with pytest.raises(TypeError, match="Value must be of type"):
        parameters.count = 2.5
    with pytest.raises(ValueError, match="Value must not be None"):
        parameters.name = None
    with pytest.raises(ValueError, match="Value is quick, but must be in one of the following"):
        parameters.way = "quick"
    with pytest.raises(ValueError, match="Cannot find a param with the given name: nosuch"):
        parameters.getValue("nosuch")
    assert (parameters.fraction, parameters.count, parameters.name) == (0.5, 3, "head")


def test_slicers_limits_of_types(a_slicer):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    with pytest.raises(Exception, match="Unable to create serializer"):

        @parameterNodeWrapper
        class NewUnion:
            value: float | None

    with pytest.raises(ValueError, match="reserved name 'getValue'"):

        @parameterNodeWrapper
        class Reserved:
            def getValue(self):  # noqa: N802
                """Taken."""


def test_widgets_and_parameters_follow_each_other(a_class, a_node, a_slicer):
    import ctk
    import qt
    import slicer

    parameters = a_class(a_node)
    widgets = {
        "volume": slicer.qMRMLNodeComboBox(),
        "name": qt.QLineEdit(),
        "count": qt.QSpinBox(),
        "fraction": ctk.ctkSliderWidget(),
        "shown": qt.QCheckBox(),
        "folder": ctk.ctkDirectoryButton(),
        "colour": qt.QComboBox(),
        "way": qt.QComboBox(),
    }
    widgets["volume"].setMRMLScene(a_slicer.scene)
    tag = parameters.connectParametersToGui(widgets)

    assert (widgets["name"].text, widgets["count"].value, widgets["fraction"].value, widgets["shown"].checked) == ("head", 3, 0.5, True)
    assert (widgets["folder"].directory, widgets["colour"].currentText, widgets["way"].currentText) == ("/tmp", "Blue", "slow")
    assert (widgets["count"].minimum, widgets["fraction"].maximum) == (1, 1.0)

    widgets["name"].text, widgets["count"].value, widgets["shown"].checked, widgets["colour"].currentIndex = "neck", 5, False, 0
    volume = widgets["volume"].addNode()
    assert (parameters.name, parameters.count, parameters.shown, parameters.colour, parameters.volume) == ("neck", 5, False, Colour.RED, volume)

    parameters.fraction, parameters.way = 0.25, "fast"
    assert (widgets["fraction"].value, widgets["way"].currentText) == (0.25, "fast")

    parameters.disconnectGui(tag)
    widgets["name"].text = "arm"
    parameters.count = 9
    assert (parameters.name, widgets["count"].value) == ("neck", 5)


def test_connect_gui_returns_no_tag_as_before_slicer_5_10(a_class, a_node):
    import qt

    parameters = a_class(a_node)
    panel, line = qt.QWidget(), qt.QLineEdit()
    layout = qt.QVBoxLayout(panel)
    layout.addWidget(line)
    line.setProperty("SlicerParameterName", "name")

    assert parameters.connectGui(panel) is None

    line.text = "neck"
    assert parameters.name == "neck"


def test_a_slider_needs_limits(a_node):
    import ctk
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Unlimited:
        value: float

    with pytest.raises(RuntimeError, match="unbounded"):
        Unlimited(a_node).connectParametersToGui({"value": ctk.ctkSliderWidget()})


def test_observers_are_the_nodes(a_class, a_node):
    import vtk

    parameters, heard = a_class(a_node), []
    tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: heard.append(parameters.name))
    parameters.name = "neck"
    parameters.RemoveObserver(tag)
    parameters.name = "arm"

    assert heard == ["neck"]
