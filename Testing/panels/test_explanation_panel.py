"""DeepSeg Explanation as a user clicks it: questions, answers as maps, and how far they can be believed."""

import pytest

from deepseg import api
from DeepSegLib.scene.origin import nodes_about
from DeepSegLib.scene.plots import PLOT_ROLE
from panels.panels import RESULTS, finish, load_modules, nodes_of, show, some_noise

NAME = "DeepSegExplanation"
QUICK = "Gradient x input"


@pytest.fixture
def segmented(a_slicer, tiny_bundle, monkeypatch):
    """Segments of a model so small that explanations take a second, and the panel with them."""
    monkeypatch.setenv("DEEPSEG_MODELS", str(tiny_bundle.folder.parent))
    widgets = load_modules(a_slicer)
    node = widgets["DeepSegSegmentation"].logic.segment(some_noise(a_slicer.scene), "tiny")
    show(NAME)
    return node


@pytest.fixture
def widget(segmented):
    import slicer

    return slicer.modules.deepsegexplanation.widgetRepresentation().self()


@pytest.fixture
def ui(widget):
    return widget.ui


def maps_of(a_slicer, node):
    return nodes_about(a_slicer.scene, node, "map of evidence")


def items(combo_box):
    return [combo_box.itemText(n) for n in range(combo_box.count)]


def test_the_question_is_asked_of_the_models_labels(ui, segmented):
    assert items(ui.labelSelector) == ["Front", "Back"]
    assert items(ui.againstSelector) == ["Anything else", "Back", "Background"]
    assert items(ui.methodSelector)[0] == "Usual (Integrated gradients)"
    assert not ui.layerSelector.visible


def test_a_segment_is_explained_with_a_verdict_and_curves(a_slicer, widget, ui, segmented):
    a_slicer.choose(ui.methodSelector, QUICK)
    a_slicer.mouse_click(ui.applyButton)
    assert "Done" in finish(a_slicer, widget)
    (found,) = maps_of(a_slicer, segmented)
    assert ui.verdictLabel.text.startswith("Why Front?\n")
    assert "5 tests" in ui.verdictLabel.text
    assert ui.mapSelector.itemData(ui.mapSelector.currentIndex) == found.GetID()
    a_slicer.mouse_click(ui.curvesButton)

    selection = a_slicer.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    assert selection.GetActivePlotChartID() == found.GetNodeReferenceID(PLOT_ROLE)


def test_two_labels_can_be_held_against_each_other(a_slicer, widget, ui, segmented):
    a_slicer.choose(ui.againstSelector, "Back")
    a_slicer.choose(ui.methodSelector, QUICK)
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)

    assert ui.verdictLabel.text.startswith("Why Front and not Back?")


def test_the_doubt_can_be_explained(a_slicer, widget, ui, segmented):
    a_slicer.mouse_click(ui.doubtCheckBox)
    assert not ui.againstSelector.visible
    a_slicer.choose(ui.methodSelector, QUICK)
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)

    assert ui.verdictLabel.text.startswith("What drives the doubt")


def test_a_point_is_placed_and_explained(a_slicer, widget, ui, segmented):
    a_slicer.mouse_click(ui.placeButton)
    interaction = a_slicer.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    point = widget.logic.getParameterNode().place
    point.AddControlPoint(3, 6, 3)
    assert ui.placeSelector.currentNode() is point
    assert items(ui.labelSelector)[0] == "Whatever the model says"
    a_slicer.choose(ui.methodSelector, QUICK)
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)

    assert "at RAS 3.0, 6.0, 3.0 mm" in ui.verdictLabel.text


def test_a_users_landmarks_are_left_alone(a_slicer, widget, ui, segmented):
    landmarks = a_slicer.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "landmarks")
    for n in range(3):
        landmarks.AddControlPoint(n, n, n)
    widget.logic.getParameterNode().place = landmarks
    a_slicer.mouse_click(ui.placeButton)

    assert landmarks.GetNumberOfControlPoints() == 3
    assert widget.logic.getParameterNode().place is not landmarks


def test_a_point_that_was_not_placed_is_told(a_slicer, widget, ui, segmented):
    a_slicer.mouse_click(ui.placeButton)
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(ui.applyButton)

    assert "has no point yet" in finish(a_slicer, widget)
    assert nodes_of(a_slicer.scene, *RESULTS) == before


def test_layers_are_offered_for_methods_that_look_at_one(a_slicer, widget, ui, segmented):
    a_slicer.choose(ui.methodSelector, "Grad-CAM")
    assert ui.layerSelector.visible
    a_slicer.wait_until(lambda: ui.layerSelector.count > 1, 60)
    assert items(ui.layerSelector)[0] == "Usual (bottleneck)"
    assert "Attention rollout" not in items(ui.methodSelector), "the network has no attention"
    a_slicer.choose(ui.layerSelector, "bottleneck")
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)

    assert "bottleneck" in maps_of(a_slicer, segmented)[0].GetAttribute("DeepSeg.Explanation")


def test_explanations_stay_beside_each_other_until_undone(a_slicer, widget, ui, segmented):
    a_slicer.choose(ui.methodSelector, QUICK)
    for label in ("Front", "Back"):
        a_slicer.choose(ui.labelSelector, label)
        a_slicer.mouse_click(ui.applyButton)
        finish(a_slicer, widget)
    assert len(maps_of(a_slicer, segmented)) == 2
    assert ui.verdictLabel.text.startswith("Why Back")
    a_slicer.mouse_click(ui.undoButton)
    assert len(maps_of(a_slicer, segmented)) == 1

    assert ui.verdictLabel.text.startswith("Why Front")


def test_explanations_are_there_after_the_scene_was_saved_and_loaded(a_slicer, widget, ui, segmented, tmp_path):
    import slicer

    a_slicer.choose(ui.methodSelector, QUICK)
    a_slicer.mouse_click(ui.applyButton)
    finish(a_slicer, widget)
    told = ui.verdictLabel.text
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    a_slicer.scene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    a_slicer.process_events(0.1)

    assert ui.verdictLabel.text == told
    assert ui.curvesButton.enabled


def test_a_cancelled_explanation_changes_nothing(a_slicer, widget, ui, segmented):
    before = nodes_of(a_slicer.scene, *RESULTS)
    a_slicer.mouse_click(ui.applyButton)
    a_slicer.process_events(0.5)
    a_slicer.mouse_click(ui.cancelButton)

    assert ui.statusLabel.text == "Cancelled. The scene is as it was."
    assert nodes_of(a_slicer.scene, *RESULTS) == before


def test_a_script_gets_the_same_without_the_panel(a_slicer, widget, segmented):
    import slicer

    logic = slicer.modules.deepsegexplanation.logic()
    node = logic.explain(segmented, "Front", method="gradient-times-input", checks=False)
    assert node in maps_of(a_slicer, segmented)
    assert "Not tested" in logic.verdict(node)
    with pytest.raises(api.DeepSegError, match="has no label 'Liver'"):
        logic.explain(segmented, "Liver")
