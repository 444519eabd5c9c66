"""One log that a user can copy into a bug report: what was run on what computer and how it ended, without a patient's name or a path.

It keeps the last lines of this session in memory and hands each on to Slicer's own log.
"""

from __future__ import annotations

import logging
import platform
import re
import sys
import time
from collections import deque
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deepseg.api import __version__

_LINES = 200
_PACKAGES = ("torch", "monai", "numpy", "SimpleITK", "safetensors", "fastjsonschema")
_QUOTED = re.compile(r"'[^']*'")
_lines: deque[str] = deque(maxlen=_LINES)


def note(text: str) -> None:
    """Keep a sentence: what was started, and how it ended."""
    _lines.append(f"{time.strftime('%H:%M:%S')}  {text}")
    logging.debug("DeepSeg: %s", text)


def report() -> str:
    """The log with what it was written on. Names of nodes stand in quotes and are left out, as is the home folder: they may name a patient."""
    text = "\n".join(_QUOTED.sub("'...'", line) for line in _lines) or "(nothing was run)"
    return f"{_machine()}\n\n{text}\n".replace(str(Path.home()), "~")


def _machine() -> str:
    found = [f"DeepSeg {__version__}", f"Python {platform.python_version()}", f"{platform.system()} {platform.release()} {platform.machine()}"]
    slicer = sys.modules.get("slicer")
    if application := getattr(slicer, "app", None):
        found.insert(1, f"{application.applicationName} {application.applicationVersion}")
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} missing")
    return ", ".join(found)
