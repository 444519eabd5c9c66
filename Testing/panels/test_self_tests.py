"""The modules' own tests, run unchanged with the stand-in: a real Slicer runs the same ones by Testing/run_in_slicer.py."""

from pathlib import Path

import pytest

EXTENSION = Path(__file__).resolve().parents[2] / "DeepSegExtension"
MODULES = ("DeepSegSegmentation", "DeepSegUncertainty", "DeepSegExplanation")


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_own_test_passes(name, a_slicer):
    import slicer

    for module in MODULES:
        a_slicer.load_module(EXTENSION / module / f"{module}.py")
    slicer.selfTests[name](msec=0)
