"""What a user has set for good, not for one scene: folders with models, a folder with Python packages. Kept in Slicer's settings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MODEL_FOLDERS, _PACKAGE_FOLDER = "DeepSeg/ModelFolders", "DeepSeg/PackageFolder"


class Settings:
    """DeepSeg's part of a `QSettings`."""

    def __init__(self, store: Any) -> None:
        self._store = store

    @property
    def model_folders(self) -> list[Path]:
        """Folders that hold models, as the user added them."""
        try:
            found = json.loads(self._store.value(_MODEL_FOLDERS, "[]"))
        except (TypeError, ValueError):
            found = []
        return [Path(name) for name in found if isinstance(name, str)] if isinstance(found, list) else []

    @model_folders.setter
    def model_folders(self, folders: Sequence[Path]) -> None:
        self._store.setValue(_MODEL_FOLDERS, json.dumps([str(folder) for folder in folders]))

    @property
    def package_folder(self) -> Path | None:
        """Folder with Python packages (.whl) to install from, for computers without a network; None: from the network."""
        name = self._store.value(_PACKAGE_FOLDER, "")
        return Path(name) if isinstance(name, str) and name else None

    @package_folder.setter
    def package_folder(self, folder: Path | None) -> None:
        self._store.setValue(_PACKAGE_FOLDER, str(folder) if folder else "")


def own_models() -> Path:
    """Where models that a user imports go: a folder for this user's data that other programs leave alone. It need not exist yet."""
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Application Support"
    else:
        root = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return root / "DeepSeg" / "models"
