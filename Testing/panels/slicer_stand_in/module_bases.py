"""`slicer.ScriptedLoadableModule`: the bases of scripted modules, as Slicer 5.8.1's behave."""

from __future__ import annotations

import logging
import os
import sys
import unittest
from typing import Any

import qt
import slicer

__all__ = ["ScriptedLoadableModule", "ScriptedLoadableModuleLogic", "ScriptedLoadableModuleTest", "ScriptedLoadableModuleWidget"]


def _without(name: str, suffix: str) -> str:
    return name.removesuffix(suffix)


class ScriptedLoadableModule:
    """The module's entry; `parent` is the C++ module object."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = ["Slicer's developers"]
        parent.helpText = "A template's help text."
        parent.acknowledgementText = "A template's acknowledgement."
        icons = [os.path.join(os.path.dirname(parent.path), "Resources/Icons", f"{self.moduleName}.{kind}") for kind in ("svg", "png")]  # noqa: PTH118, PTH120
        found = [icon for icon in icons if os.path.isfile(icon)]  # noqa: PTH113
        if found:
            parent.icon = qt.QIcon(found[0])
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:  # noqa: N802
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)  # noqa: PTH118, PTH120

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:  # noqa: N802, N803
        return f'<p>For more information see the <a href="https://slicer.readthedocs.io/{docPage or self.moduleName}">online documentation</a>.</p>'

    def runTest(self, msec: int = 100, **keywords: Any) -> None:  # noqa: N802
        test_class = getattr(sys.modules[type(self).__module__], f"{self.moduleName}Test", None)
        if test_class is None:
            raise AssertionError(f"Test case class not found: {type(self).__module__}.{self.moduleName}Test ")
        test = test_class()
        test.messageDelay = msec
        test.runTest(**keywords)


class ScriptedLoadableModuleWidget:
    """The panel; without a parent it makes itself one and sets itself up."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = _without(type(self).__name__, "Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        self.parent = parent
        if not parent:
            self.parent = slicer.qMRMLWidget()
            self.parent.setLayout(qt.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        if not parent:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:  # noqa: N802
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename)  # noqa: PTH118, PTH120

    def cleanup(self) -> None:
        """For modules to override: called just before the module is unloaded."""

    def setup(self) -> None:
        """For modules to override. The section for developers is not stood in for."""

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:  # noqa: N802, N803
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    """The module without its panel; finds and makes its parameter nodes."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = _without(type(self).__name__, "Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:  # noqa: N802
        scene = slicer.mrmlScene
        if self.isSingletonParameterNode:
            node = scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node and node.GetAttribute("ModuleName") != self.moduleName:
                node.SetAttribute("ModuleName", self.moduleName)
        else:
            node = next(iter(self.getAllParameterNodes()), None)
        return node or scene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list:  # noqa: N802
        scene, kind = slicer.mrmlScene, "vtkMRMLScriptedModuleNode"
        nodes = [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:  # noqa: N802
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's self-test: `runTest` runs every method whose name has 'test' in it."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self.moduleTestNames: list[str] = []
        super().__init__(*arguments, **keywords)
        self.enableScreenshots = False
        self.screenshotScaleFactor = 1.0
        if not self.moduleTestNames:
            self.moduleTestNames = [name for name in dir(self) if "test" in name and callable(getattr(self, name))]

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:  # noqa: N802, N803
        """The message is logged and events are handled; no window is shown, however long it should be."""
        logging.info(message)
        slicer.app.processEvents()

    def runTest(self) -> None:  # noqa: N802
        if not self.moduleTestNames:
            logging.warning("No test is defined in %s", type(self).__name__)
            return
        self.setUpClass()
        for name in self.moduleTestNames:
            self.setUp()
            logging.info("Running %s", name)
            getattr(self, name)()
            self.tearDown()
        self.tearDownClass()
