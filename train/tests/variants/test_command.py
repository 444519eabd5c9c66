"""`deepseg-train variants` as a user types it."""

import argparse
import json
import sys

import pytest

from deepseg import api
from deepseg.golden import check_golden
from deepseg_train.commands import variants
from deepseg_train.variants.kinds import KINDS


def command(model, msd_folder, folder, *more, parts=None):
    """Run it; returns the exit code."""
    named = {"train": ["case_00", "case_01", "case_02"], "validation": [], "calibrate": [], "test": ["case_08", "case_09"]}
    split = folder / "split.json"
    split.write_text(json.dumps({"parts": named | (parts or {})}), encoding="utf-8")
    parser = argparse.ArgumentParser()
    variants.add(parser.add_subparsers(required=True))
    words = ["variants", str(model.folder), "--data", str(msd_folder), "--split", str(split), "-o", str(folder / "made"), *more]
    options = parser.parse_args(words)
    return options.run(options)


def test_the_command_offers_the_kinds_that_there_are():
    assert set(variants._KINDS) == set(KINDS)


def test_all_variants_are_made_measured_and_opened_again(model, msd_folder, tmp_path, capsys):
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx' of deepseg-train")
    assert command(model, msd_folder, tmp_path) == 0
    made = tmp_path / "made"
    assert {path.name for path in made.iterdir()} == {*KINDS, "variants.md"}
    told = capsys.readouterr().out
    assert (made / "variants.md").read_text(encoding="utf-8").strip() in told
    assert told.count("\n| ") >= 1 + len(KINDS)
    for name in ("float16", "bfloat16", "int8"):
        bundle = api.load_model(made / name)
        assert bundle.spec.id == f"ball-{name}"
        assert check_golden(bundle) < 1e-3
        assert not bundle.spec.calibration_sha256
        assert bundle.spec.metrics["cases"] == 2
        assert set(bundle.spec.metrics["labels"]) == {"Front", "Back"}
        assert bundle.spec.provenance["variant"].startswith("weights of ball 0.0.1")
        card = (made / name / "docs" / "README.md").read_text(encoding="utf-8")
        assert "Very far." not in card, "what is said of trust belongs to other weights"
        assert "Change of mean Dice" in card
    for name in ("onnx", "onnx-int8"):
        assert {path.name for path in (made / name).iterdir()} == {"model.onnx", "preprocessing.json", "README.md", "LICENSE"}
    sizes = [(made / name / "models" / "member-7.safetensors").stat().st_size for name in ("float16", "int8")]
    assert sizes[1] < sizes[0]


def test_a_variant_that_cannot_be_made_is_told_and_the_others_are_written(model, msd_folder, tmp_path, capsys):
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx' of deepseg-train")
    assert command(model, msd_folder, tmp_path, "--kinds", "onnx-int8", "bfloat16", parts={"train": []}) == 1
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"bfloat16", "variants.md"}
    assert "Not written: onnx-int8. 8-bit ONNX needs cases" in capsys.readouterr().out


def test_nothing_is_overwritten(model, msd_folder, tmp_path):
    (tmp_path / "made").mkdir()
    with pytest.raises(api.OutputError, match="exists already"):
        command(model, msd_folder, tmp_path, "--kinds", "int8")


def test_a_split_without_test_cases_is_refused_and_leaves_nothing(model, msd_folder, tmp_path):
    with pytest.raises(api.DeepSegError, match="no case to measure"):
        command(model, msd_folder, tmp_path, "--kinds", "int8", parts={"test": []})
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_missing_packages_are_named_with_what_goes_without_them(model, msd_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(api.DeepSegError, match=r"need the packages .*onnxruntime.*deepseg-train\[onnx\].*float16, bfloat16, int8"):
        command(model, msd_folder, tmp_path, "--kinds", "int8", "onnx")
    assert command(model, msd_folder, tmp_path, "--kinds", "int8") == 0
