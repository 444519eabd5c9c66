"""What tests of panels share: DeepSeg's modules in the stand-in, and images that a model answers in a second."""

from pathlib import Path

EXTENSION = Path(__file__).resolve().parents[2] / "DeepSegExtension"
MODULES = ("DeepSegSegmentation", "DeepSegUncertainty", "DeepSegExplanation")


def load_modules(a_slicer):
    """Load DeepSeg's three modules; returns their widgets by name, none of them entered."""
    modules = [a_slicer.load_module(EXTENSION / name / f"{name}.py") for name in MODULES]
    return {name: module.widgetRepresentation().self() for name, module in zip(MODULES, modules, strict=True)}


def show(name):
    """Show a module as a user does."""
    import slicer

    slicer.util.selectModule(name)


def finish(a_slicer, widget, timeout_s=120):
    """Wait until the panel's run has ended; returns its status line."""
    a_slicer.wait_until(lambda: not widget.panel.controls.running, timeout_s)
    return widget.ui.statusLabel.text


def nodes_of(scene, *classes):
    """Names of the scene's nodes of these classes."""
    found = []
    for name in classes:
        nodes = scene.GetNodesByClass(name)
        nodes.UnRegister(None)
        found += [nodes.GetItemAsObject(n).GetName() for n in range(nodes.GetNumberOfItems())]
    return sorted(found)


RESULTS = ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode")


def a_head(scene, name="head"):
    """The sample image as a node."""
    from deepseg import api
    from DeepSegLib.nodes import node_from_volume

    volume = api.read_volume(api.resource("SampleData/mni152-left-hippocampus.nii.gz"))
    node = node_from_volume(scene, volume)
    node.SetName(name)
    return node


def some_noise(scene):
    """A small image as a node."""
    import numpy as np

    from deepseg import api
    from DeepSegLib.nodes import node_from_volume

    array = np.random.default_rng(3).normal(100, 20, (1, 20, 24, 16)).astype(np.float32)
    return node_from_volume(scene, api.Volume(array, api.Geometry((20, 24, 16), np.diag([1.5, 1.5, 1.5, 1.0])), name="noise"))
