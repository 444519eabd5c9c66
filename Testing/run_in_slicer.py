"""Runs all self-tests in a real Slicer: `Slicer --python-script Testing/run_in_slicer.py`; exits with 0 only when all of them pass.

Where the extension is not installed, the modules are loaded from the source tree that this file lies in. Steps that need PyTorch are
skipped, with a line in the log, where Slicer has none.
"""

import sys
import traceback
from pathlib import Path

import qt
import slicer

MODULES = ("DeepSegSegmentation", "DeepSegUncertainty", "DeepSegExplanation")
SOURCES = Path(__file__).resolve().parent.parent / "DeepSegExtension"


def load_modules():
    """Load those modules from the source tree that this Slicer does not have yet."""
    factory = slicer.app.moduleManager().factoryManager()
    for name in MODULES:
        if hasattr(slicer.modules, name.lower()):
            continue
        folder = SOURCES / name
        sys.path.append(str(folder))
        factory.registerModule(qt.QFileInfo(str(folder / f"{name}.py")))
        factory.loadModules([name])
        if not hasattr(slicer.modules, name.lower()):
            raise RuntimeError(f"Slicer could not load the module {name}; its error log says why.")


def run_all():
    """Returns the names of the tests that failed."""
    failed = []
    for name in MODULES:
        try:
            slicer.selfTests[name](msec=0)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        sys.stdout.write(f"{name}Test: {'FAILED' if name in failed else 'passed'}\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    try:
        load_modules()
        failures = run_all()
    except Exception:
        traceback.print_exc()
        failures = ["loading"]
    slicer.util.exit(1 if failures else 0)
