"""Slicer module DeepSeg Segmentation: a volume and a model become a segmentation. What it does lies in DeepSegLib and deepseg."""

import sys
from pathlib import Path

import qt
import slicer
import vtk
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

_extension_folder = str(Path(__file__).resolve().parent.parent)
if not (Path(__file__).parent / "DeepSegLib").is_dir() and _extension_folder not in sys.path:
    # In the source tree only this module's own folder is on Slicer's path; DeepSegLib lies beside that folder.
    sys.path.append(_extension_folder)


class DeepSegSegmentation(ScriptedLoadableModule):
    """The module's entry in Slicer."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("DeepSeg Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Markups", "SubjectHierarchy"]
        parent.contributors = ["DeepSeg contributors"]
        parent.helpText = _(
            "Segments a volume with a deep-learning model. Choose a volume and a model, draw a region of interest where the model asks "
            'for one, and press Apply. See <a href="https://github.com/deepseg/SlicerDeepSeg">the documentation</a>. '
            "For research, not for clinical use."
        )
        parent.acknowledgementText = _("Built with PyTorch, MONAI and SimpleITK.")


@parameterNodeWrapper
class DeepSegSegmentationParameterNode:
    """The user's choices, saved with the scene.

    inputVolume - what is segmented.
    modelName - folder name of an installed model.
    regionOfInterest - only this part is segmented; the whole volume where none.
    outputSegmentation - where the segments go; a new node where none.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    modelName: str = ""
    regionOfInterest: vtkMRMLMarkupsROINode
    outputSegmentation: vtkMRMLSegmentationNode


class DeepSegSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life in Slicer; what its widgets do is in DeepSegLib.segmentation_panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        from DeepSegLib.segmentation_panel import SegmentationPanel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DeepSegSegmentation.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DeepSegSegmentationLogic()
        self.panel = SegmentationPanel(self.ui, self.logic, qt.QTimer(), slicer.util.confirmOkCancelDisplay)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def cleanup(self):
        if self.panel:
            self.panel.stop("")
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        """A run goes on while another module is shown; only the widgets let go of the parameters."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.panel.stop(_("Stopped: the scene was closed."))
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        self.panel.list_models()
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            # Those the selector offers: a scene also counts label maps and vector volumes as scalar volumes.
            volumeNodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            offered = [node for node in volumeNodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetHideFromEditors()]
            if offered:
                self._parameterNode.inputVolume = offered[0]

    def setParameterNode(self, parameterNode):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
        self._parameterNode = parameterNode
        if self._parameterNode:
            # connectGui does the same, but before Slicer 5.10 it returns no tag, so that nothing could be disconnected.
            bound = {name: widget for widget in vars(self.ui).values() if (name := widget.property("SlicerParameterName"))}
            self._parameterNodeGuiTag = self._parameterNode.connectParametersToGui(bound)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
        if self.panel:
            self.panel.show(self._parameterNode)

    def onParametersChanged(self, caller=None, event=None):
        self.panel.update()


class DeepSegSegmentationLogic(ScriptedLoadableModuleLogic):
    """The module without its panel, for scripts. It asks nothing, installs nothing and opens no window."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)

    def getParameterNode(self):
        return DeepSegSegmentationParameterNode(super().getParameterNode())

    def start(self, volumeNode, modelName, outputNode=None, roiNode=None):
        """Begin a run and return it at once; `poll()` it now and then. See `DeepSegLib.segmentation_run.SegmentationRun`."""
        from DeepSegLib import dependencies
        from DeepSegLib.segmentation_run import SegmentationRun

        dependencies.require()
        return SegmentationRun(slicer.mrmlScene, volumeNode, modelName, outputNode, roiNode)

    def segment(self, volumeNode, modelName, outputNode=None, roiNode=None):
        """Segment a volume node and return the segmentation node; blocks until it is done.

        :param volumeNode: the volume.
        :param modelName: name of an installed model, or the path of a model folder.
        :param outputNode: segmentation node to write to; only the model's own segments in it are replaced. A new one where None.
        :param roiNode: markups ROI node; the whole volume where None.
        :raises deepseg.api.DeepSegError: in one sentence, what went wrong; the scene is then as it was.
        """
        return self.start(volumeNode, modelName, outputNode, roiNode).wait()


class DeepSegSegmentationTest(ScriptedLoadableModuleTest):
    """The real thing on generated data; the steps are in DeepSegLib.segmentation_test."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self, **kwargs):
        from DeepSegLib import segmentation_test

        for step in segmentation_test.runnable_steps():
            self.setUp()
            self.delayDisplay(step.__doc__)
            step(self, DeepSegSegmentationLogic())
