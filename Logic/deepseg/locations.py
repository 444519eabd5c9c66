"""Where DeepSeg's own files lie, in each layout it is used from.

| layout | package | resources |
|---|---|---|
| source tree | `Logic/deepseg` | `Resources` beside `Logic` |
| Slicer's build or install tree | `<qt-scripted-modules>/deepseg` | `<qt-scripted-modules>/deepseg/Resources` |
| pip | `site-packages/deepseg` | `site-packages/deepseg/Resources` |

So the resources lie in the package or two folders above it, and a process that can import `deepseg` finds them.
"""

from __future__ import annotations

import os
from pathlib import Path

from deepseg.errors import ModelError

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Path of one of DeepSeg's resource files or folders, for example 'Models'.

    Raises:
        ModelError: this installation lacks it.
    """
    for root in (_PACKAGE / "Resources", _PACKAGE.parent.parent / "Resources"):
        if (root / name).exists():
            return root / name
    raise ModelError(f"DeepSeg's installation lacks its file Resources/{name}; install DeepSeg again.")


def model_folders() -> list[Path]:
    """Folders that hold models, first come first: those in DEEPSEG_MODELS, then the shipped ones."""
    named = [Path(part) for part in os.environ.get("DEEPSEG_MODELS", "").split(os.pathsep) if part]
    return [*named, resource("Models")]


def find_model(name: str) -> Path:
    """Folder of a model given by its name or by a path.

    Raises:
        ModelError: there is no such model.
    """
    if (Path(name) / "configs").is_dir():
        return Path(name)
    if not any(separator in name for separator in "/\\"):
        for folder in model_folders():
            if (folder / name / "configs").is_dir():
                return folder / name
    known = [path.name for path in list_models()]
    if Path(name).is_dir():
        raise ModelError(f"{name} is not a DeepSeg model: it lacks the file configs/metadata.json. Name the model's own folder.")
    raise ModelError(f"There is no model '{name}'. Installed: {', '.join(known) or 'none'}; or give the path of a model folder.")


def list_models() -> list[Path]:
    """Folders of all installed models, by name; the first of two with the same name counts."""
    found: dict[str, Path] = {}
    for folder in model_folders():
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if (path / "configs" / "metadata.json").is_file():
                found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]
