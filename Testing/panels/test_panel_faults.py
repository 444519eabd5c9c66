"""A fault in any step of a run from a panel: one sentence that says what to do, the scene as it was, and the next run works."""

import shutil
import tempfile

import pytest

from DeepSegLib import dependencies, worker_pool
from faults.test_worker_starved import WITH_A_FULL_DISK, WITH_LITTLE_MEMORY
from faults.workers import Workers, patched
from mrml.scenes import bending_transform
from panels.panels import MODULES, RESULTS, a_head, finish, load_modules, nodes_of, show


@pytest.fixture
def widgets(a_slicer):
    return load_modules(a_slicer)


@pytest.fixture
def workers(tmp_path, monkeypatch):
    """Workers whose starts the test decides and whose folders nobody else uses; `take_over` lets all modules use them from then on."""
    places = [tmp_path / "shared", tmp_path / "temporary"]
    for place in places:
        place.mkdir()
    found = Workers(*places)

    def take_over():
        monkeypatch.setattr(tempfile, "tempdir", str(places[1]))
        monkeypatch.setattr(worker_pool, "shared", found.pool)

    found.take_over = take_over
    yield found
    found.pool.close()


@pytest.fixture(params=MODULES)
def a_panel(request, a_slicer, widgets, workers):
    """Each panel in turn, ready to run; previews are off, so that the first worker to start is the run's."""
    import slicer

    head = a_head(a_slicer.scene)
    if request.param != MODULES[0]:
        slicer.modules.deepsegsegmentation.logic().segment(head, "hippocampus-mr")
    widget = widgets[request.param]
    show(request.param)
    if hasattr(widget.ui, "methodSelector"):
        a_slicer.choose(widget.ui.methodSelector, "Gradient x input")
    widget.panel._preview.stop()
    assert widget.ui.applyButton.enabled
    workers.take_over()
    return widget


@pytest.fixture
def before(a_slicer, a_panel):
    return nodes_of(a_slicer.scene, *RESULTS)


def assert_told(a_slicer, widget, before, *words):
    """One sentence with these words, in the panel's style for failures; the scene as it was; the panel ready for the next run."""
    said = finish(a_slicer, widget)
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert "bold" in widget.ui.statusLabel.styleSheet
    assert nodes_of(a_slicer.scene, *RESULTS) == before
    assert (widget.ui.cancelButton.enabled, widget.ui.progressBar.visible) == (False, False)


def assert_the_next_run_works(a_slicer, widget):
    a_slicer.mouse_click(widget.ui.applyButton)
    assert finish(a_slicer, widget).startswith("Done")


def test_without_pytorch_the_panel_says_how_to_get_it(a_slicer, a_panel, before, monkeypatch):
    monkeypatch.setattr(dependencies, "missing_packages", lambda: ["torch>=2.4"])
    a_slicer.mouse_click(a_panel.ui.applyButton)

    assert_told(a_slicer, a_panel, before, "needs Slicer's extension 'PyTorch'", "Install it in the Extensions Manager")


def test_a_declined_installation_is_told_and_nothing_starts(a_slicer, a_panel, before, workers, monkeypatch):
    monkeypatch.setattr(dependencies, "missing_packages", lambda: ["monai>=1.4"])
    started = len(workers.processes)
    a_slicer.answers.append(False)
    a_slicer.mouse_click(a_panel.ui.applyButton)

    assert_told(a_slicer, a_panel, before, "The run needs the Python packages monai>=1.4; nothing was installed.")
    assert "Python Package Index" in str(a_slicer.asked[-1])
    assert len(workers.processes) == started


def test_packages_come_from_the_folder_that_was_set(a_slicer, widgets, tmp_path, monkeypatch):
    import slicer

    a_head(a_slicer.scene)
    show(MODULES[0])
    ui = widgets[MODULES[0]].ui
    (tmp_path / "monai-1.6.1-py3-none-any.whl").touch()
    ui.modelsCollapsibleButton.collapsed = False
    a_slicer.answers.append(str(tmp_path))
    a_slicer.mouse_click(ui.packageFolderButton)
    asked = []
    monkeypatch.setattr(slicer.util, "pip_install", asked.append)
    missing = [["torch>=2.4", "monai>=1.4"]]
    monkeypatch.setattr(dependencies, "missing_packages", lambda: [] if asked else missing[0])
    a_slicer.answers.append(True)
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widgets[MODULES[0]])

    assert asked[0][:3] == ["--no-index", "--find-links", str(tmp_path)]
    assert asked[0][-2:] == ["torch>=2.4", "monai>=1.4"]


@pytest.mark.parametrize("a_panel", [MODULES[0]], indirect=True)
def test_too_little_memory_is_told(a_slicer, a_panel, before, workers):
    workers.starts = [patched(WITH_LITTLE_MEMORY)]
    a_slicer.mouse_click(a_panel.ui.applyButton)

    assert_told(a_slicer, a_panel, before, "memory")
    assert_the_next_run_works(a_slicer, a_panel)


@pytest.mark.parametrize("a_panel", [MODULES[1]], indirect=True)
def test_a_killed_worker_is_told(a_slicer, a_panel, before, workers):
    a_slicer.mouse_click(a_panel.ui.applyButton)
    a_slicer.wait_until(lambda: workers.processes and workers.processes[-1].poll() is None, 10)
    workers.processes[-1].kill()

    assert_told(a_slicer, a_panel, before, "ended unexpectedly", "start it again")
    assert_the_next_run_works(a_slicer, a_panel)


@pytest.mark.parametrize("a_panel", [MODULES[1]], indirect=True)
def test_a_full_disk_is_told(a_slicer, a_panel, before, workers):
    workers.starts = [patched(WITH_A_FULL_DISK)]
    a_slicer.mouse_click(a_panel.ui.applyButton)

    assert_told(a_slicer, a_panel, before, "There is no room for the result", "Make room there")
    workers.processes[-1].kill()


def test_no_room_for_the_input_is_told(a_slicer, a_panel, before, workers, monkeypatch):
    monkeypatch.setattr(workers.pool, "roots", list)
    a_slicer.mouse_click(a_panel.ui.applyButton)

    assert_told(a_slicer, a_panel, before, "there is no room for them")


def test_a_bent_volume_is_told(a_slicer, a_panel, before):
    volume = a_slicer.scene.GetFirstNodeByName("head")
    volume.SetAndObserveTransformNodeID(bending_transform(a_slicer.scene).GetID())
    a_slicer.mouse_click(a_panel.ui.applyButton)

    assert_told(a_slicer, a_panel, before, "is not linear", "Harden the transform first")


def test_a_volume_that_is_gone_in_mid_run_is_told(a_slicer, a_panel, before):
    a_slicer.mouse_click(a_panel.ui.applyButton)
    a_slicer.scene.RemoveNode(a_slicer.scene.GetFirstNodeByName("head"))

    assert_told(a_slicer, a_panel, [name for name in before if name != "head"], "was removed from the scene")


def test_a_scene_closed_in_mid_run_ends_it_without_a_word_of_failure(a_slicer, a_panel, workers):
    a_slicer.mouse_click(a_panel.ui.applyButton)
    a_slicer.process_events(0.1)
    a_slicer.scene.Clear(False)
    a_slicer.process_events(0.3)

    assert not a_panel.panel.controls.running
    assert a_panel.ui.statusLabel.text == "Stopped: the scene was closed."
    assert not a_panel.ui.applyButton.enabled
    assert all(process.poll() is not None for process in workers.processes)
    assert nodes_of(a_slicer.scene, *RESULTS) == []


def test_a_damaged_model_is_told(a_slicer, widgets, tiny_bundle, tmp_path):
    a_head(a_slicer.scene)
    shutil.copytree(tiny_bundle.folder, tmp_path / "models/tiny")
    weights = next((tmp_path / "models/tiny/models").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-8] + b"\0" * 8)
    show(MODULES[0])
    widget = widgets[MODULES[0]]
    widget.ui.modelsCollapsibleButton.collapsed = False
    a_slicer.answers.append(str(tmp_path / "models"))
    a_slicer.mouse_click(widget.ui.addFolderButton)
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(widget.ui.applyButton)

    assert_told(a_slicer, widget, before, "models/model.safetensors")


def test_an_installation_without_models_is_told(a_slicer, widgets, tmp_path, monkeypatch):
    import deepseg.locations

    a_head(a_slicer.scene)
    monkeypatch.setattr(deepseg.locations, "_PACKAGE", tmp_path / "Logic/deepseg")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    show(MODULES[0])
    ui = widgets[MODULES[0]].ui

    assert "installation lacks its file Resources/Models" in ui.modelCardLabel.text
    assert not ui.applyButton.enabled


def test_an_empty_volume_is_told(a_slicer, widgets):
    show(MODULES[0])
    widget = widgets[MODULES[0]]
    empty = a_slicer.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    widget.logic.getParameterNode().inputVolume = empty
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(widget.ui.applyButton)
    assert_told(a_slicer, widget, before, "The volume 'nothing' holds no image.")


def test_a_defect_while_a_run_is_polled_ends_the_run(a_slicer, widgets, monkeypatch):
    a_head(a_slicer.scene)
    show(MODULES[0])
    widget = widgets[MODULES[0]]
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(widget.ui.applyButton)
    monkeypatch.setattr(widget.panel.controls._run, "poll", lambda: 1 / 0)

    assert_told(a_slicer, widget, before, "unexpected error (division by zero)")
