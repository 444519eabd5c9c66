"""The script that runs all self-tests in a real Slicer: it loads the modules from the source tree and tells which tests fail."""

import runpy
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "run_in_slicer.py"


def test_it_loads_the_modules_and_names_the_tests_that_fail(a_slicer, monkeypatch, capsys):
    import slicer

    script = runpy.run_path(str(SCRIPT))
    script["load_modules"]()
    assert all(hasattr(slicer.modules, name.lower()) for name in script["MODULES"])
    ran = []
    monkeypatch.setattr(slicer, "selfTests", {name: lambda msec, name=name: ran.append(name) for name in script["MODULES"]})
    monkeypatch.setitem(slicer.selfTests, "DeepSegUncertainty", lambda msec: 1 / 0)

    assert script["run_all"]() == ["DeepSegUncertainty"]
    assert ran == ["DeepSegSegmentation", "DeepSegExplanation"]
    assert "DeepSegUncertaintyTest: FAILED" in capsys.readouterr().out
