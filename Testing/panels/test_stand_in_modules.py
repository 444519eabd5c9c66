"""The stand-in loads a scripted module and its .ui file as Slicer does; its panel is entered, used by mouse, left and cleaned up."""

import pytest

MODULE = """
import qt, ctk, slicer, vtk
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Tiny(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Tiny")
        parent.categories = ["Testing"]

    def setup(self):
        self.was_set_up = True


@parameterNodeWrapper
class TinyParameterNode:
    volume: slicer.vtkMRMLScalarVolumeNode
    name: str = "head"


class TinyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.calls = []

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/Tiny.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = TinyLogic()
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, lambda caller, event: self.calls.append("closing"))

    def onApply(self):
        self.calls.append("applied")

    def enter(self):
        self.calls.append(("entered", self.parent.isEntered))

    def exit(self):
        self.calls.append(("left", self.parent.isEntered))

    def cleanup(self):
        self.calls.append("cleaned up")
        self.removeObservers()


class TinyLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return TinyParameterNode(super().getParameterNode())


class TinyTest(ScriptedLoadableModuleTest):
    def test_tiny(self):
        self.delayDisplay("testing")
        slicer.modules.tinywasTested = True
"""

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Tiny</class>
 <widget class="qMRMLWidget" name="Tiny">
  <layout class="QVBoxLayout" name="tinyLayout">
   <item><widget class="ctkCollapsibleButton" name="inputs"><property name="text"><string>Inputs</string></property>
     <layout class="QFormLayout" name="form">
      <item row="0" column="0"><widget class="QLabel" name="volumeLabel"><property name="text"><string>Volume:</string></property></widget></item>
      <item row="0" column="1"><widget class="qMRMLNodeComboBox" name="volumeSelector">
        <property name="toolTip"><string>What to look at.</string></property>
        <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
        <property name="noneEnabled"><bool>true</bool></property>
        <property name="addEnabled"><bool>true</bool></property>
        <property name="baseName"><string>Made</string></property>
        <property name="SlicerParameterName" stdset="0"><string>volume</string></property>
      </widget></item>
     </layout>
   </widget></item>
   <item><widget class="QPushButton" name="applyButton"><property name="text"><string>Apply</string></property></widget></item>
   <item><spacer name="space"><property name="orientation"><enum>Qt::Vertical</enum></property></spacer></item>
  </layout>
 </widget>
 <connections>
  <connection><sender>Tiny</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>volumeSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
 </connections>
</ui>
"""


@pytest.fixture
def a_module_file(tmp_path):
    (tmp_path / "Tiny" / "Resources" / "UI").mkdir(parents=True)
    (tmp_path / "Tiny" / "Resources" / "UI" / "Tiny.ui").write_text(UI, encoding="utf-8")
    file = tmp_path / "Tiny" / "Tiny.py"
    file.write_text(MODULE, encoding="utf-8")
    return file


@pytest.fixture
def a_panel(a_slicer, a_module_file):
    """The tiny module's widget, shown."""
    import slicer

    module = a_slicer.load_module(a_module_file)
    slicer.util.selectModule("Tiny")
    return module.widgetRepresentation().self()


def test_a_module_is_known_by_name(a_slicer, a_module_file):
    import slicer

    module = a_slicer.load_module(a_module_file)

    assert slicer.modules.tiny is module
    assert (module.name, module.title, module.categories, module.path) == ("Tiny", "Tiny", ("Testing",), str(a_module_file))
    assert slicer.modules.TinyInstance.was_set_up
    assert module.logic() is module.logic()
    assert module.logic().GetClassName() == "vtkSlicerScriptedLoadableModuleLogic"
    assert slicer.util.getModule("Tiny") is module


def test_a_panel_is_entered_left_and_entered_again(a_panel):
    import slicer

    slicer.util.selectModule("Data")
    slicer.util.selectModule("Tiny")

    assert slicer.util.selectedModule() == "Tiny"
    assert a_panel.calls == [("entered", True), ("left", False), ("entered", True)]


def test_the_ui_file_has_slicers_widgets_and_their_properties(a_panel, a_slicer):
    import slicer

    selector = a_panel.ui.volumeSelector
    assert type(selector) is slicer.qMRMLNodeComboBox
    assert (selector.nodeTypes, selector.noneEnabled, selector.baseName) == (("vtkMRMLScalarVolumeNode",), True, "Made")
    assert selector.property("SlicerParameterName") == "volume"
    assert selector.toolTip == "<p>What to look at.</p>"
    assert selector.mrmlScene() is a_slicer.scene


def test_a_click_reaches_the_panel(a_panel, a_slicer):
    a_slicer.mouse_click(a_panel.ui.applyButton)

    assert a_panel.calls[-1] == "applied"
    assert a_slicer.clicks == 1


def test_what_a_user_cannot_reach_is_refused(a_panel, a_slicer):
    a_panel.ui.applyButton.enabled = False
    with pytest.raises(AssertionError, match="disabled"):
        a_slicer.mouse_click(a_panel.ui.applyButton)
    a_slicer.mouse_click(a_panel.ui.inputs)
    with pytest.raises(AssertionError, match="hidden"):
        a_slicer.choose(a_panel.ui.volumeSelector, "Made")


def test_a_user_makes_and_chooses_nodes(a_panel, a_slicer):
    a_slicer.choose(a_panel.ui.volumeSelector, "Create new Volume")
    assert a_panel.ui.volumeSelector.currentNode().GetName() == "Made"

    a_slicer.choose(a_panel.ui.volumeSelector, "None")
    assert a_panel.ui.volumeSelector.currentNode() is None


def test_the_parameter_node_follows_the_selector(a_panel, a_slicer):
    node = a_panel.logic.getParameterNode()
    tag = node.connectParametersToGui({"volume": a_panel.ui.volumeSelector})

    a_slicer.choose(a_panel.ui.volumeSelector, "Create new Volume")
    assert node.volume.GetName() == "Made"

    a_slicer.scene.RemoveNode(node.volume)
    assert node.volume is None
    node.disconnectGui(tag)


def test_a_closed_scene_is_told(a_panel, a_slicer):
    a_slicer.scene.Clear()

    assert a_panel.calls[-1] == "closing"


def test_an_error_in_a_slot_is_kept(a_panel, a_slicer):
    a_panel.onApply = None
    a_panel.ui.applyButton.clicked.connect(lambda: 1 / 0)

    a_panel.ui.applyButton.click()

    assert isinstance(a_slicer.slot_errors[0], ZeroDivisionError)
    a_slicer.slot_errors.clear()


def test_an_error_in_an_observer_is_kept(a_slicer):
    import vtk

    a_slicer.scene.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: 1 / 0)

    a_slicer.scene.Modified()

    assert isinstance(a_slicer.slot_errors[0], ZeroDivisionError)
    a_slicer.scene.RemoveObservers(vtk.vtkCommand.ModifiedEvent)
    a_slicer.slot_errors.clear()


def test_a_question_without_an_answer_fails(a_slicer):
    import slicer

    with pytest.raises(AssertionError, match="Really"):
        slicer.util.confirmOkCancelDisplay("Really?")
    a_slicer.answers.append(True)
    assert slicer.util.confirmOkCancelDisplay("Really?")
    assert a_slicer.asked == ["Really?"]


def test_a_self_test_runs(a_slicer, a_module_file):
    import slicer

    a_slicer.load_module(a_module_file)
    slicer.selfTests["Tiny"]()

    assert slicer.modules.tinywasTested


def test_pictures_in_light_and_dark(a_panel, a_slicer, tmp_path):
    light = a_slicer.grab(a_panel.parent, tmp_path / "light.png").read_bytes()
    a_slicer.dark = True
    assert a_slicer.grab(a_panel.parent, tmp_path / "dark.png").read_bytes() != light


def test_nothing_can_be_installed(a_slicer):
    import slicer

    with pytest.raises(AssertionError, match="must not install"):
        slicer.util.pip_install("monai")
