"""The panel of DeepSeg Segmentation with widgets that only remember, and the logic and timer injected: what it shows and when."""

from types import SimpleNamespace

import pytest

from deepseg.api import DeepSegError, Progress
from DeepSegLib import dependencies, segmentation_panel
from DeepSegLib.models import InstalledModel

MODEL = InstalledModel("hippocampus-mr", "Hippocampus in MR", "Outlines the hippocampus.", "For research, not for clinical use.")


class Widget:
    """Qt's manners as PythonQt shows them: properties are attributes, signals are connected by signature."""

    def __init__(self):
        self.slots, self.text, self.enabled, self.visible, self.value, self.styleSheet, self.toolTip = {}, "", False, False, 0, "", ""

    def connect(self, signature, slot):
        self.slots[signature] = slot

    def emit(self, signature, *arguments):
        self.slots[signature](*arguments)

    def setInterval(self, milliseconds):  # noqa: N802
        self.interval = milliseconds


class Timer(Widget):
    running = False

    def start(self):
        self.running = True

    def stop(self):
        self.running = False


class ComboBox(Widget):
    def __init__(self):
        super().__init__()
        self.items, self.currentIndex = [], -1

    def blockSignals(self, block):  # noqa: N802
        return False

    def clear(self):
        self.items, self.currentIndex = [], -1

    def addItem(self, text, data):  # noqa: N802
        self.items.append((text, data))

    def itemData(self, index):  # noqa: N802
        return self.items[index][1]

    def findData(self, data):  # noqa: N802
        return next((n for n, item in enumerate(self.items) if item[1] == data), -1)


class Show3DButton(Widget):
    def setSegmentationNode(self, node):  # noqa: N802
        self.node = node


class Run:
    """A run that the test steers."""

    def __init__(self):
        self.progress, self.node, self.error, self.cancelled, self.goes_on = Progress(0.0, "starting", None), None, None, False, True
        self.notes = ()

    def poll(self):
        return self.goes_on

    def cancel(self):
        self.cancelled = True


class Logic:
    def __init__(self):
        self.run, self.refusal, self.started = Run(), None, []
        self.parameters = SimpleNamespace(inputVolume="head", modelName="", outputSegmentation=None, regionOfInterest=None)

    def getParameterNode(self):  # noqa: N802
        return self.parameters

    def start(self, volumeNode, modelName, outputNode=None, roiNode=None):  # noqa: N803
        if self.refusal:
            raise self.refusal
        self.started.append((volumeNode, modelName, outputNode, roiNode))
        return self.run


@pytest.fixture
def ui():
    names = ("applyButton", "cancelButton", "progressBar", "statusLabel", "modelSummaryLabel", "inputSelector", "roiSelector", "outputSelector")
    return SimpleNamespace(modelSelector=ComboBox(), show3DButton=Show3DButton(), **{name: Widget() for name in names})


@pytest.fixture
def logic():
    return Logic()


@pytest.fixture
def timer():
    return Timer()


@pytest.fixture
def a_panel(ui, logic, timer, monkeypatch):
    monkeypatch.setattr(segmentation_panel, "installed_models", lambda: [MODEL])
    monkeypatch.setattr(dependencies, "missing_packages", list)
    panel = segmentation_panel.SegmentationPanel(ui, logic, timer, confirm=lambda question: pytest.fail("nothing is missing, so nothing is asked"))
    panel.list_models()
    panel.show(logic.parameters)
    return panel


def test_the_first_model_is_chosen_and_described(a_panel, ui, logic):
    assert logic.parameters.modelName == "hippocampus-mr"
    assert ui.modelSelector.items == [("Hippocampus in MR", "hippocampus-mr")]
    assert ui.modelSelector.currentIndex == 0
    assert ui.modelSummaryLabel.text == "Outlines the hippocampus. For research, not for clinical use."
    assert ui.applyButton.enabled


def test_without_a_volume_apply_waits(a_panel, ui, logic):
    logic.parameters.inputVolume = None

    a_panel.update()

    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "Choose a volume and a model first."


def test_a_run_shows_stage_and_time_left_and_ends_with_the_node(a_panel, ui, logic, timer):
    ui.applyButton.emit("clicked(bool)", False)
    assert logic.started == [("head", "hippocampus-mr", None, None)]
    assert (ui.applyButton.enabled, ui.cancelButton.enabled, ui.progressBar.visible, timer.running) == (False, True, True, True)

    logic.run.progress = Progress(0.42, "running the network", 12.4)
    timer.emit("timeout()")
    assert ui.statusLabel.text == "Running the network, about 12 s left"
    assert ui.progressBar.value == 42

    logic.run.goes_on, logic.run.node = False, SimpleNamespace(GetName=lambda: "head segmentation")
    timer.emit("timeout()")
    assert ui.statusLabel.text == "Done: head segmentation"
    assert logic.parameters.outputSegmentation is logic.run.node
    assert (ui.applyButton.enabled, ui.cancelButton.enabled, ui.progressBar.visible, timer.running) == (True, False, False, False)


@pytest.mark.parametrize(("made_from", "is_kept"), [("head", True), (None, True), ("another head", False)])
def test_the_result_for_another_volume_is_not_written_over(made_from, is_kept, a_panel, ui, logic):
    def node(name):
        return SimpleNamespace(GetID=lambda: name)

    earlier = SimpleNamespace(GetNodeReference=lambda role: node(made_from) if made_from else None)
    logic.parameters.inputVolume, logic.parameters.outputSegmentation = node("head"), earlier

    ui.applyButton.emit("clicked(bool)", False)

    assert logic.started[0][2] is (earlier if is_kept else None)


def test_cancel_stops_the_run_and_says_so(a_panel, ui, logic, timer):
    ui.applyButton.emit("clicked(bool)", False)

    ui.cancelButton.emit("clicked(bool)", False)

    assert logic.run.cancelled
    assert ui.statusLabel.text == "Cancelled. The scene is as it was."
    assert ui.applyButton.enabled
    assert not timer.running


def test_a_failure_is_told_in_the_panel_and_the_next_run_can_start(a_panel, ui, logic, timer):
    ui.applyButton.emit("clicked(bool)", False)
    logic.run.goes_on, logic.run.error = False, "There was not enough memory."

    timer.emit("timeout()")

    assert ui.statusLabel.text == "There was not enough memory."
    assert "bold" in ui.statusLabel.styleSheet
    assert ui.applyButton.enabled


def test_a_refused_start_is_told_in_the_panel(a_panel, ui, logic, timer):
    logic.refusal = DeepSegError("The volume 'head' holds no image.")

    ui.applyButton.emit("clicked(bool)", False)

    assert ui.statusLabel.text == "The volume 'head' holds no image."
    assert not timer.running
    assert not a_panel.running


def test_a_closed_scene_stops_the_run(a_panel, ui, logic):
    ui.applyButton.emit("clicked(bool)", False)

    a_panel.stop("Stopped: the scene was closed.")
    a_panel.show(None)

    assert logic.run.cancelled
    assert ui.statusLabel.text == "Stopped: the scene was closed."


def test_a_new_region_starts_as_the_whole_volume(a_panel, ui, logic):
    set_to = {}

    def bounds_of_the_head(bounds):
        bounds[:] = [-10, 10, -20, 40, 0, 5]

    logic.parameters.inputVolume = SimpleNamespace(GetRASBounds=bounds_of_the_head)
    region = SimpleNamespace(
        GetNumberOfControlPoints=lambda: 0,
        SetCenter=lambda center: set_to.update(center=center),
        SetSize=lambda size: set_to.update(size=size),
        CreateDefaultDisplayNodes=lambda: set_to.update(shown=True),
    )

    ui.roiSelector.emit("nodeAddedByUser(vtkMRMLNode*)", region)

    assert set_to == {"center": [0, 10, 2.5], "size": [20, 60, 5], "shown": True}


def test_the_surfaces_button_follows_the_output(a_panel, ui):
    node = object()
    ui.outputSelector.emit("currentNodeChanged(vtkMRMLNode*)", node)
    assert ui.show3DButton.node is node

    ui.outputSelector.emit("currentNodeChanged(vtkMRMLNode*)", None)
    assert ui.show3DButton.node is None


def test_a_scene_from_elsewhere_with_an_unknown_model_shows_none_chosen(a_panel, ui, logic):
    logic.parameters.modelName = "liver-ct"

    a_panel.update()

    assert ui.modelSelector.currentIndex == -1
    assert not ui.applyButton.enabled


def test_apply_works_after_the_module_was_left(a_panel, ui, logic):
    a_panel.show(None)

    ui.applyButton.emit("clicked(bool)", False)

    assert logic.started == [("head", "hippocampus-mr", None, None)]


def test_while_packages_are_installed_apply_waits_and_a_closed_scene_starts_nothing(a_panel, ui, logic, monkeypatch):
    seen = []

    def install(confirm):
        """Slicer handles events while pip runs: the scene is closed and the panel is brought up to date."""
        logic.parameters.inputVolume = "another head"
        a_panel.update()
        seen.append((ui.applyButton.enabled, ui.statusLabel.text))
        logic.parameters.inputVolume = None

    monkeypatch.setattr(dependencies, "install", install)
    ui.applyButton.emit("clicked(bool)", False)

    assert seen == [(False, "Looking for the Python packages a run needs. The Python console shows an installation.")]
    assert ui.statusLabel.text == "Choose a volume and a model first."
    assert logic.started == []


def test_a_defect_while_a_run_is_polled_ends_the_run(a_panel, ui, logic, timer):
    ui.applyButton.emit("clicked(bool)", False)
    logic.run.poll = lambda: 1 / 0

    with pytest.raises(ZeroDivisionError):
        timer.emit("timeout()")

    assert logic.run.cancelled
    assert not timer.running
    assert not a_panel.running
    assert ui.statusLabel.text.startswith("The run stopped on an unexpected error (division by zero).")


def test_a_declined_installation_is_told_and_nothing_starts(a_panel, ui, logic, monkeypatch):
    monkeypatch.setattr(dependencies, "missing_packages", lambda: ["monai>=1.4"])
    monkeypatch.setattr(dependencies, "_pip_install", lambda requirements, constraints, confirm: False)

    ui.applyButton.emit("clicked(bool)", False)

    assert ui.statusLabel.text == "The run needs the Python packages monai>=1.4; nothing was installed."
    assert logic.started == []


def test_without_the_pytorch_extension_the_panel_says_how_to_get_it(a_panel, ui, logic, monkeypatch):
    monkeypatch.setattr(dependencies, "missing_packages", lambda: ["torch>=2.4"])

    ui.applyButton.emit("clicked(bool)", False)

    assert ui.statusLabel.text.startswith("DeepSeg needs Slicer's extension 'PyTorch'. Install it in the Extensions Manager")
    assert logic.started == []
