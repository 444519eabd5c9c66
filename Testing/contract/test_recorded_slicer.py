"""What the extension asks of Slicer was there when Slicer 5.8.1 was recorded: names of the package `slicer`, and functions of `slicer.util`."""

import json
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED = json.loads((REPOSITORY / "Testing/panels/slicer_stand_in/recorded_api.json").read_text(encoding="utf-8"))
NEWER = {"packaging"}
"""Used where it is there, with a fallback where it is not."""
FILES = [*sorted((REPOSITORY / "DeepSegExtension").rglob("*.py")), REPOSITORY / "Testing/run_in_slicer.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_what_a_file_asks_of_slicer_was_recorded(path):
    text = path.read_text(encoding="utf-8")
    imported = {name for line in re.findall(r"from slicer import ([\w, ]+)", text) for name in re.split(r",\s*", line) if name}
    used = set(re.findall(r"\bslicer\.(\w+)", text)) | imported

    assert used - NEWER <= set(RECORDED["slicer_names"])
    assert set(re.findall(r"\bslicer\.util\.(\w+)", text)) <= set(RECORDED["slicer_util"])
