"""How the modules find the package `deepseg`, in each layout they are used from.

| layout | modules | DeepSegLib | package `deepseg` |
|---|---|---|---|
| source tree | `DeepSegExtension/<Module>/<Module>.py` | `DeepSegExtension/DeepSegLib` | `Logic/deepseg` |
| Slicer's build or install tree | `<qt-scripted-modules>/<Module>.py` | `<qt-scripted-modules>/DeepSegLib` | `<qt-scripted-modules>/deepseg` |

The package finds its own resources and models (`deepseg.locations`). A worker process finds the package because the folder named
here is on its PYTHONPATH, wherever PythonSlicer lies.
"""

from __future__ import annotations

import sys
from pathlib import Path

_LIB = Path(__file__).resolve().parent


def logic_folder() -> Path:
    """Folder that holds the package `deepseg`.

    Raises:
        ModuleNotFoundError: this installation lacks it.
    """
    for folder in (_LIB.parent, _LIB.parent.parent / "Logic"):
        if (folder / "deepseg").is_dir():
            return folder
    raise ModuleNotFoundError("DeepSeg's installation lacks its package 'deepseg'; install the extension again.")


def add_logic_folder() -> None:
    """Make `import deepseg` work here; what is found already stays first."""
    folder = str(logic_folder())
    if folder not in sys.path:
        sys.path.append(folder)
