"""Slicer module DeepSeg Explanation: what in the image made a model answer as it did. What it does lies in DeepSegLib and deepseg."""

import sys
from pathlib import Path
from typing import Annotated

import slicer
from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
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


class DeepSegExplanation(ScriptedLoadableModule):
    """The module's entry in Slicer."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("DeepSeg Explanation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Markups", "SubjectHierarchy", "Plots", "Colors"]
        parent.contributors = ["DeepSeg contributors"]
        parent.helpText = _(
            "Shows what in an image speaks for a segment and what against it, and tests how far that picture can be believed. "
            'See the <a href="https://github.com/deepseg/SlicerDeepSeg/blob/main/TUTORIAL.md">tutorial</a>. '
            "For research, not for clinical use."
        )
        parent.acknowledgementText = _("Built with PyTorch, MONAI and SimpleITK.")

    def setup(self):
        """For scripts: slicer.modules.deepsegexplanation.logic() offers what DeepSegExplanationLogic does."""
        self.scriptLogic = self.parent.logic()  # kept: what is set on it lives as long as this Python object of it
        for name in ("explain", "start", "preview", "verdict"):
            setattr(self.scriptLogic, name, getattr(DeepSegExplanationLogic(), name))


@parameterNodeWrapper
class DeepSegExplanationParameterNode:
    """The user's choices, saved with the scene.

    segmentation - what is asked about.
    inputVolume, inputVolume2, ... - the model's inputs, where DeepSeg does not know them.
    modelName - folder name of an installed model, where DeepSeg does not know them.
    regionOfInterest - only this part is looked at; the whole volume where none.
    device - key of what the networks run on; '' for the best one.
    label, against - names of labels; '' for whatever the model says, and for all others.
    doubt - ask what makes the model unsure.
    place - one voxel; the whole segment where none.
    method, layer - how the answer is drawn; '' for the usual ones.
    shownMap - id of the map over the image; '' for none.
    opacity - of that map, 0 to 1.
    """

    segmentation: vtkMRMLSegmentationNode
    inputVolume: vtkMRMLScalarVolumeNode
    inputVolume2: vtkMRMLScalarVolumeNode
    inputVolume3: vtkMRMLScalarVolumeNode
    inputVolume4: vtkMRMLScalarVolumeNode
    modelName: str = ""
    regionOfInterest: vtkMRMLMarkupsROINode
    device: str = ""
    label: str = ""
    against: str = ""
    doubt: bool = False
    place: vtkMRMLMarkupsFiducialNode
    method: str = ""
    layer: str = ""
    shownMap: str = ""
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.6


class DeepSegExplanationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life in Slicer; what its widgets do is in DeepSegLib.panels."""

    def __init__(self, parent=None):
        self.logic = None
        self.panel = None
        self.life = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        from DeepSegLib.panels.explanation_panel import ExplanationPanel
        from DeepSegLib.panels.life import PanelLife
        from DeepSegLib.scripting import model_store

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DeepSegExplanation.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DeepSegExplanationLogic()
        self.panel = ExplanationPanel(self.ui, self.logic, model_store(), slicer.util.confirmOkCancelDisplay)
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


class DeepSegExplanationLogic(ScriptedLoadableModuleLogic):
    """The module without its panel, for scripts. It asks nothing, installs nothing and opens no window."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)

    @property
    def scene(self):
        return slicer.mrmlScene

    def getParameterNode(self):
        return DeepSegExplanationParameterNode(super().getParameterNode())

    def explain(
        self,
        segmentationNode,
        label=None,
        against=None,
        place=None,
        doubt=False,
        method=None,
        layer=None,
        volumeNodes=None,
        model=None,
        region=None,
        seed=0,
        checks=True,
        device=None,
    ):
        """Write a map of what speaks for an answer, and how far it can be believed, into the scene; blocks. Returns the map's volume node.

        :param segmentationNode: what the map speaks of; its segments stay as they are.
        :param label, against: names or values of labels.
        :param place: point list, markups ROI node, deepseg.api.Box or position (RAS, mm); the whole segment where None.
        :param doubt, method, layer, seed, checks, device: see deepseg.api.explain.
        :param volumeNodes, model, region: as in DeepSegUncertaintyLogic.estimate.
        :raises deepseg.api.DeepSegError: in one sentence, what went wrong; the scene is then as it was.
        """
        asked = (label, against, place, doubt, method, layer, volumeNodes, model, region, seed, checks, device)
        return self.start(segmentationNode, *asked).wait()

    def start(
        self,
        segmentationNode,
        label=None,
        against=None,
        place=None,
        doubt=False,
        method=None,
        layer=None,
        volumeNodes=None,
        model=None,
        region=None,
        seed=0,
        checks=True,
        device=None,
    ):
        """Begin what `explain` does and return the run at once: `poll()` it now and then; see DeepSegLib.runs.run.Run."""
        from deepseg.api import ExplanationRequest
        from DeepSegLib import scripting

        question = ExplanationRequest(label, against, scripting.place_of(place), doubt, method, layer, seed, checks)
        return scripting.start_explanation(slicer.mrmlScene, segmentationNode, volumeNodes, model, region, question, device)

    def preview(self, volumeNodes, model, region=None, uncertainty=False, device=None):
        """Begin to find out what a run would take and what about its image is unusual; poll it. Its `result` is a deepseg.api.Preview."""
        from DeepSegLib import scripting

        return scripting.preview(slicer.mrmlScene, volumeNodes, model, region, uncertainty, device)

    def verdict(self, mapNode):
        """How far an explanation can be believed, in words."""
        from DeepSegLib.panels.explanation_panel import verdict

        return verdict(mapNode)


class DeepSegExplanationTest(ScriptedLoadableModuleTest):
    """The real thing on generated data; the steps are in DeepSegLib.self_tests."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self, **kwargs):
        from DeepSegLib.self_tests import explanation
        from DeepSegLib.self_tests.steps import run_steps

        run_steps(self, DeepSegExplanationLogic(), explanation.STEPS)
