"""The panel's behaviour around a scene, in Slicer, without running a model: it needs neither PyTorch nor a network."""

import unittest

import slicer


class DeepSegSegmentationPanelTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("DeepSegSegmentation")
        self.widget = slicer.modules.deepsegsegmentation.widgetRepresentation().self()

    def test_choices_survive_leaving_and_entering_the_module(self):
        volumeNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")
        self.widget.initializeParameterNode()
        self.assertEqual(self.widget.ui.inputSelector.currentNodeID, volumeNode.GetID())

        slicer.util.selectModule("Data")
        slicer.util.selectModule("DeepSegSegmentation")

        self.assertEqual(self.widget.logic.getParameterNode().inputVolume.GetID(), volumeNode.GetID())
        self.assertEqual(self.widget.ui.inputSelector.currentNodeID, volumeNode.GetID())

    def test_closing_the_scene_empties_the_panel(self):
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")
        self.widget.initializeParameterNode()

        slicer.mrmlScene.Clear()

        self.assertEqual(self.widget.ui.inputSelector.currentNodeID, "")
        self.assertFalse(self.widget.ui.applyButton.enabled)

    def test_the_panel_says_what_it_is_for(self):
        self.assertEqual(self.widget.ui.disclaimerLabel.text, "For research, not for clinical use.")
