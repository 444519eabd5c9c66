"""A volume that is one time point of a sequence: this one segmented, or all of them."""

import numpy as np
import pytest

from deepseg.api import DeepSegError
from DeepSegLib.nodes import array_of
from panels.panels import RESULTS, a_head, finish, load_modules, nodes_of, show

NAME = "DeepSegSegmentation"


@pytest.fixture
def widget(a_slicer):
    return load_modules(a_slicer)[NAME]


@pytest.fixture
def a_sequence(a_slicer):
    """Three time points of a head that fades; returns the browser and the node that shows the current one."""
    import slicer

    scene = a_slicer.scene
    shown, sequence = a_head(scene, "beating"), scene.AddNewNodeByClass("vtkMRMLSequenceNode", "heads")
    values = array_of(shown)
    for n in range(3):
        values[...] = np.roll(values, 1, axis=0)
        sequence.SetDataNodeAtValue(shown, str(n))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.AddSynchronizedSequenceNodeID(sequence.GetID())
    browser.AddProxyNode(shown, sequence, False)
    browser.SetSelectedItemNumber(0)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser, shown


def test_all_time_points_are_segmented_and_play_along(a_slicer, widget, a_sequence):
    import slicer

    browser, _shown = a_sequence
    show(NAME)
    assert widget.ui.wholeSequenceCheckBox.text == "All 3 time points of the sequence"
    a_slicer.mouse_click(widget.ui.wholeSequenceCheckBox)
    assert not widget.ui.withUncertaintyCheckBox.visible, "of a sequence segments alone are made"
    a_slicer.mouse_click(widget.ui.applyButton)
    said = set()

    def over():
        said.add(widget.ui.statusLabel.text)
        return not widget.panel.controls.running

    a_slicer.wait_until(over, 120)
    assert widget.ui.statusLabel.text.startswith("Done")
    assert any(text.startswith("Time point 2 of 3") for text in said)
    node = widget.logic.getParameterNode().outputSegmentation
    sequence = browser.GetSequenceNode(node)
    assert sequence.GetNumberOfDataNodes() == 3
    bounds = []
    for n in range(3):
        browser.SetSelectedItemNumber(n)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        found = [0.0] * 6
        node.GetSegmentation().GetSegment("hippocampus-mr_2").GetBounds(found)
        bounds.append(found[0])
    assert bounds[0] < bounds[1] < bounds[2], "the image moves by a voxel from one time point to the next"


def test_a_volume_of_no_sequence_has_no_such_choice(a_slicer, widget):
    a_head(a_slicer.scene)
    show(NAME)

    assert not widget.ui.wholeSequenceCheckBox.visible


def test_a_cancelled_sequence_changes_nothing(a_slicer, widget, a_sequence):
    show(NAME)
    a_slicer.mouse_click(widget.ui.wholeSequenceCheckBox)
    before = nodes_of(a_slicer.scene, *RESULTS, "vtkMRMLSequenceNode")
    a_slicer.mouse_click(widget.ui.applyButton)
    a_slicer.wait_until(lambda: "Time point 2" in widget.ui.statusLabel.text, 120)
    a_slicer.mouse_click(widget.ui.cancelButton)

    assert nodes_of(a_slicer.scene, *RESULTS, "vtkMRMLSequenceNode") == before


def test_one_undo_takes_the_sequence_back(a_slicer, widget, a_sequence):
    show(NAME)
    a_slicer.mouse_click(widget.ui.wholeSequenceCheckBox)
    before = nodes_of(a_slicer.scene, *RESULTS, "vtkMRMLSequenceNode")
    a_slicer.mouse_click(widget.ui.applyButton)
    finish(a_slicer, widget)
    a_slicer.mouse_click(widget.ui.undoButton)

    assert nodes_of(a_slicer.scene, *RESULTS, "vtkMRMLSequenceNode") == before


def test_a_script_is_told_what_is_no_sequence(a_slicer, widget):
    with pytest.raises(DeepSegError, match="belongs to no sequence"):
        widget.logic.segment(a_head(a_slicer.scene), "hippocampus-mr", wholeSequence=True)
