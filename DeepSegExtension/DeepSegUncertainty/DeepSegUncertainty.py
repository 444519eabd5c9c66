"""Slicer module DeepSeg Uncertainty: where not to trust a segmentation, and what to do there. What it does lies in DeepSegLib and deepseg."""

import sys
from pathlib import Path
from typing import Annotated

import slicer
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
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


class DeepSegUncertainty(ScriptedLoadableModule):
    """The module's entry in Slicer."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("DeepSeg Uncertainty")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Markups", "SubjectHierarchy", "Tables", "Plots", "Colors"]
        parent.contributors = ["DeepSeg contributors"]
        parent.helpText = _(
            "Shows how sure a model is of a segmentation: maps over the image, each segment's volume with an interval, and where to look first. "
            'See the <a href="https://github.com/deepseg/SlicerDeepSeg/blob/main/TUTORIAL.md">tutorial</a>. '
            "For research, not for clinical use."
        )
        parent.acknowledgementText = _("Built with PyTorch, MONAI and SimpleITK.")

    def setup(self):
        """For scripts: slicer.modules.deepseguncertainty.logic() offers what DeepSegUncertaintyLogic does."""
        self.scriptLogic = self.parent.logic()  # kept: what is set on it lives as long as this Python object of it
        for name in ("estimate", "start", "preview", "maps", "table", "regions"):
            setattr(self.scriptLogic, name, getattr(DeepSegUncertaintyLogic(), name))


@parameterNodeWrapper
class DeepSegUncertaintyParameterNode:
    """The user's choices, saved with the scene.

    segmentation - what is looked at.
    inputVolume, inputVolume2, ... - the model's inputs, where DeepSeg does not know them.
    modelName - folder name of an installed model, where DeepSeg does not know them.
    regionOfInterest - only this part is looked at; the whole volume where none.
    device - key of what the networks run on; '' for the best one.
    sampler - key of a way to estimate; '' for the usual one.
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
    sampler: str = ""
    shownMap: str = ""
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.6


class DeepSegUncertaintyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life in Slicer; what its widgets do is in DeepSegLib.panels."""

    def __init__(self, parent=None):
        self.logic = None
        self.panel = None
        self.life = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        from DeepSegLib.panels.life import PanelLife
        from DeepSegLib.panels.uncertainty_panel import UncertaintyPanel
        from DeepSegLib.scripting import model_store

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DeepSegUncertainty.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DeepSegUncertaintyLogic()
        self.panel = UncertaintyPanel(
            self.ui, self.logic, model_store(), slicer.util.confirmOkCancelDisplay, lambda: slicer.util.selectModule("SegmentEditor")
        )
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


class DeepSegUncertaintyLogic(ScriptedLoadableModuleLogic):
    """The module without its panel, for scripts. It asks nothing, installs nothing and opens no window."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)

    @property
    def scene(self):
        return slicer.mrmlScene

    def getParameterNode(self):
        return DeepSegUncertaintyParameterNode(super().getParameterNode())

    def estimate(self, segmentationNode, volumeNodes=None, model=None, region=None, sampler=None, samples=None, seed=0, level=None, device=None):
        """Write maps, tables and the reliability plot of a segmentation into the scene; blocks. Returns the table of segments.

        The segments stay as they are. What is left out is taken from what made the segmentation.

        :param segmentationNode: what maps and tables speak of.
        :param volumeNodes: the volume, or a list with one for each input of the model.
        :param model: name of an installed model, or path of a model folder.
        :param region: markups ROI node, or deepseg.api.Box (RAS, mm); the one that was segmented where None.
        :param sampler, samples, seed, level, device: see deepseg.api.estimate_uncertainty.
        :raises deepseg.api.DeepSegError: in one sentence, what went wrong; the scene is then as it was.
        """
        return self.start(segmentationNode, volumeNodes, model, region, sampler, samples, seed, level, device).wait()

    def start(self, segmentationNode, volumeNodes=None, model=None, region=None, sampler=None, samples=None, seed=0, level=None, device=None):
        """Begin what `estimate` does and return the run at once: `poll()` it now and then; see DeepSegLib.runs.run.Run."""
        from deepseg.api import UncertaintyRequest
        from DeepSegLib import scripting

        request = UncertaintyRequest(sampler, samples, seed, level)
        return scripting.start_doubt(slicer.mrmlScene, segmentationNode, volumeNodes, model, region, request, device)

    def preview(self, volumeNodes, model, region=None, uncertainty=True, device=None):
        """Begin to find out what a run would take and what about its image is unusual; poll it. Its `result` is a deepseg.api.Preview."""
        from DeepSegLib import scripting

        return scripting.preview(slicer.mrmlScene, volumeNodes, model, region, uncertainty, device)

    def maps(self, segmentationNode):
        """Volume nodes with its maps of doubt, by measure: 'error_probability', 'predictive_entropy', 'expected_entropy', 'mutual_information'."""
        from DeepSegLib.scene.maps import maps_of_doubt

        return maps_of_doubt(slicer.mrmlScene, segmentationNode)

    def table(self, segmentationNode):
        """Table node with a row for each segment; None where there is none."""
        from DeepSegLib.scene.tables import SEGMENTS_TABLE, table_about

        return table_about(slicer.mrmlScene, segmentationNode, SEGMENTS_TABLE)

    def regions(self, segmentationNode):
        """Table node with the regions of doubt, those first that could change most; None where there is none."""
        from DeepSegLib.scene.tables import REGIONS_TABLE, table_about

        return table_about(slicer.mrmlScene, segmentationNode, REGIONS_TABLE)


class DeepSegUncertaintyTest(ScriptedLoadableModuleTest):
    """The real thing on generated data; the steps are in DeepSegLib.self_tests."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self, **kwargs):
        from DeepSegLib.self_tests import uncertainty
        from DeepSegLib.self_tests.steps import run_steps

        run_steps(self, DeepSegUncertaintyLogic(), uncertainty.STEPS)
