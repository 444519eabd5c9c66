"""The stand-in against what was recorded in a running Slicer 5.8.1: its manners, fact by fact, and the names its classes have."""

import json
import re
import sys

import pytest

from panels.slicer_stand_in.api import FOLDER

FACTS = json.loads((FOLDER / "recorded_behaviour.json").read_text(encoding="utf-8"))["facts"]
LEFT_OUT = {
    "sys.executable.rsplit('/',1)[-1]": "the tests run in an ordinary Python, not in PythonSlicer",
}
BEFORE = {"slicer.util.selectedModule()": "slicer.util.selectModule('SegmentEditor')"}
"""What was recorded just before, and counts."""


def _name(fact):
    return f"{fact['topic']}: {fact['setup'][-60:]} | {fact['expr']}"


def _as_recorded(value):
    """repr(), with the class's name where it would hold an address; the recording names the type alone where any part of it does."""
    text = repr(value)
    if " at: 0x" in text or " at 0x" in text or "(0x" in text:
        return re.sub(r"<?[\w.]+ object at 0x[0-9a-f]+>|(\w+) \(\1 at: 0x[0-9a-f]+\)", r"\1", text)
    return text


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact["expr"] not in LEFT_OUT], ids=_name)
def test_fact(fact, a_slicer, capsys):
    import ctk
    import qt
    import slicer
    import vtk

    namespace = {"qt": qt, "ctk": ctk, "slicer": slicer, "vtk": vtk, "sys": sys, "log": []}
    try:
        exec(BEFORE.get(fact["expr"], ""), namespace)
        exec(fact["setup"], namespace)
        value = eval(fact["expr"], namespace)
    except Exception as error:
        assert f"{type(error).__name__}: {error}" == fact.get("error")
    else:
        assert fact["result"] in (_as_recorded(value), type(value).__name__)
    if fact["topic"] == "signals: exception in slot":
        assert "boom" in capsys.readouterr().err
        a_slicer.slot_errors.clear()


def test_what_is_left_out_was_recorded():
    assert set(LEFT_OUT) <= {fact["expr"] for fact in FACTS}
