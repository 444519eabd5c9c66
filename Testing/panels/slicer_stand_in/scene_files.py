"""`slicer.app.coreIOManager()`: scenes are saved and loaded by the real scene itself; no other kind of file is."""

from __future__ import annotations

from typing import Any

from panels.slicer_stand_in.session import NotInStandIn


class qSlicerCoreIOManager:  # noqa: N801
    """Reads and writes .mrb and .mrml files."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    def fileType(self, name: str) -> str:  # noqa: N802
        return "SceneFile" if name.endswith((".mrb", ".mrml")) else "UnknownFile"

    def saveNodes(self, kind: str, properties: dict[str, Any], messages: Any = None) -> bool:  # noqa: N802
        """One scene."""
        name = self._scene_file(kind, properties)
        if name.endswith(".mrb"):
            return bool(self._scene.WriteToMRB(name))
        self._scene.SetURL(name)
        return bool(self._scene.Commit())

    def loadNodes(self, kind: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None) -> bool:  # noqa: N802
        """One scene, added to what is there."""
        name = self._scene_file(kind, properties)
        if name.endswith(".mrb"):
            return bool(self._scene.ReadFromMRB(name))
        self._scene.SetURL(name)
        return bool(self._scene.Import())

    def _scene_file(self, kind: str, properties: dict[str, Any]) -> str:
        name = str(properties["fileName"])
        if kind != "SceneFile" or self.fileType(name) != "SceneFile":
            raise NotInStandIn(f"coreIOManager() of a {kind} named {name}: the stand-in knows scenes (.mrb, .mrml) alone")
        return name
