"""Slicer module DeepSeg Segmentation: a volume and a model become a segmentation. What it does lies in DeepSegLib and deepseg."""

import sys
from pathlib import Path

import slicer
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
        parent.dependencies = ["Segmentations", "Markups", "SubjectHierarchy", "Sequences"]
        parent.contributors = ["DeepSeg contributors"]
        parent.helpText = _(
            "Segments a volume with a deep-learning model and says how sure it is. Choose a volume and a model, draw a region of interest where the "
            "model asks for one, and press Apply. "
            'See the <a href="https://github.com/deepseg/SlicerDeepSeg/blob/main/TUTORIAL.md">tutorial</a>. '
            "For research, not for clinical use."
        )
        parent.acknowledgementText = _("Built with PyTorch, MONAI and SimpleITK.")

    def setup(self):
        """For scripts: slicer.modules.deepsegsegmentation.logic() offers what DeepSegSegmentationLogic does."""
        self.scriptLogic = self.parent.logic()  # kept: what is set on it lives as long as this Python object of it
        for name in ("models", "segment", "start", "preview"):
            setattr(self.scriptLogic, name, getattr(DeepSegSegmentationLogic(), name))
        if hasattr(slicer.modules, "sampledata"):  # loaded after Slicer has started
            self._register_sample_data()
        else:
            slicer.app.connect("startupCompleted()", self._register_sample_data)

    def _register_sample_data(self):
        from DeepSegLib.sample_data import register

        register()


@parameterNodeWrapper
class DeepSegSegmentationParameterNode:
    """The user's choices, saved with the scene.

    inputVolume, inputVolume2, ... - the model's inputs.
    modelName - folder name of an installed model.
    regionOfInterest - only this part is looked at; the whole volume where none.
    device - key of what the networks run on; '' for the best one.
    withUncertainty - also say how sure the model is.
    wholeSequence - segment every time point of the sequence that the volume belongs to.
    outputSegmentation - where the segments go; a new node where none.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    inputVolume2: vtkMRMLScalarVolumeNode
    inputVolume3: vtkMRMLScalarVolumeNode
    inputVolume4: vtkMRMLScalarVolumeNode
    modelName: str = ""
    regionOfInterest: vtkMRMLMarkupsROINode
    device: str = ""
    withUncertainty: bool = True
    wholeSequence: bool = False
    outputSegmentation: vtkMRMLSegmentationNode


class DeepSegSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life in Slicer; what its widgets do is in DeepSegLib.panels."""

    def __init__(self, parent=None):
        self.logic = None
        self.panel = None
        self.life = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        from DeepSegLib.panels.life import PanelLife
        from DeepSegLib.panels.segmentation_panel import SegmentationPanel
        from DeepSegLib.scripting import model_store

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DeepSegSegmentation.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DeepSegSegmentationLogic()
        self.panel = SegmentationPanel(self.ui, self.logic, model_store(), slicer.util.confirmOkCancelDisplay, self._open)
        self.life = PanelLife(self, self.panel)
        if getattr(self.parent, "isEntered", False):  # reloaded while it is shown
            self.enter()

    def enter(self):
        self.life.enter()

    def exit(self):
        self.life.exit()

    def cleanup(self):
        if self.life:
            self.life.cleanup()

    def _open(self, module, segmentationNode):
        """Show another of DeepSeg's modules with a segmentation."""
        widget = getattr(slicer.modules, module.lower()).widgetRepresentation().self()
        widget.logic.getParameterNode().segmentation = segmentationNode
        slicer.util.selectModule(module)


class DeepSegSegmentationLogic(ScriptedLoadableModuleLogic):
    """The module without its panel, for scripts. It asks nothing, installs nothing and opens no window."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)

    @property
    def scene(self):
        return slicer.mrmlScene

    def getParameterNode(self):
        return DeepSegSegmentationParameterNode(super().getParameterNode())

    def models(self):
        """Names of the models that can be run."""
        from DeepSegLib.scripting import model_store

        return [model.name for model in model_store().models()]

    def segment(self, volumeNodes, model, outputNode=None, region=None, uncertainty=False, device=None, wholeSequence=False):
        """Segment a volume node and return the segmentation node; blocks until it is done.

        :param volumeNodes: the volume, or a list with one for each input of the model.
        :param model: name of an installed model, or path of a model folder.
        :param outputNode: segmentation node to write to; only the model's own segments in it are replaced. A new one where None.
        :param region: markups ROI node, or deepseg.api.Box (RAS, mm); the whole volume where None.
        :param uncertainty: also write maps and tables of how sure the model is, as DeepSegUncertaintyLogic.estimate does.
        :param device: 'cpu', 'cuda:0', 'mps'; the best one where None.
        :param wholeSequence: segment every time point of the sequence that the volume shows; returns the node that plays along.
        :raises deepseg.api.DeepSegError: in one sentence, what went wrong; the scene is then as it was.
        """
        return self.start(volumeNodes, model, outputNode, region, uncertainty, device, wholeSequence).wait()

    def start(self, volumeNodes, model, outputNode=None, region=None, uncertainty=False, device=None, wholeSequence=False):
        """Begin what `segment` does and return the run at once: `poll()` it now and then; see DeepSegLib.runs.run.Run."""
        from DeepSegLib import scripting

        return scripting.start_segmentation(slicer.mrmlScene, volumeNodes, model, outputNode, region, uncertainty, device, wholeSequence)

    def preview(self, volumeNodes, model, region=None, uncertainty=False, device=None):
        """Begin to find out what a run would take and what about its image is unusual; poll it. Its `result` is a deepseg.api.Preview."""
        from DeepSegLib import scripting

        return scripting.preview(slicer.mrmlScene, volumeNodes, model, region, uncertainty, device)


class DeepSegSegmentationTest(ScriptedLoadableModuleTest):
    """The real thing on generated data; the steps are in DeepSegLib.self_tests."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self, **kwargs):
        from DeepSegLib.self_tests import segmentation
        from DeepSegLib.self_tests.steps import run_steps

        run_steps(self, DeepSegSegmentationLogic(), segmentation.STEPS)
