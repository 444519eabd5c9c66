"""`deepseg-train calibrate` as a user types it, on a small dataset and a model trained on it."""

import json
import shutil
import sys
from subprocess import run

import numpy as np
import pytest

from deepseg import api
from deepseg.bundle import CALIBRATION_FILE
from deepseg.io import read_label_array, write_label_map
from deepseg.uncertainty.calibration import load_calibration
from deepseg_train.calibration import quality
from deepseg_train.cli import main

PARTS = {"train": range(6), "validation": range(6, 7), "calibrate": range(7, 18), "test": range(18, 21)}


@pytest.fixture(scope="module", autouse=True)
def quick():
    """The networks that foretell Dice are fitted in fewer steps than for a real model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "_STEPS", 150)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_config, write_ball):
    """A dataset, a split of it, and a model trained on it."""
    folder = tmp_path_factory.mktemp("calibrate")
    pairs = [write_ball(folder / "data", f"case_{n:02}", n) for n in range(21)]
    (folder / "data" / "dataset.json").write_text(json.dumps({"name": "Balls", "training": pairs}), encoding="utf-8")
    split = {part: [f"case_{n:02}" for n in numbers] for part, numbers in PARTS.items()}
    (folder / "split.json").write_text(json.dumps({"parts": split}), encoding="utf-8")
    (folder / "ball.yaml").write_text(small_config.read_text(encoding="utf-8"), encoding="utf-8")
    # A process of its own, because Lightning warns of what is no concern of these tests.
    run([sys.executable, "-m", "deepseg_train.cli", "fit", "--config", "ball.yaml", "--data", "data", "-o", "run"], cwd=folder, check=True)
    run([sys.executable, "-m", "deepseg_train.cli", "export", "run", "--data", "data", "-o", "model"], cwd=folder, check=True)
    return folder


def words(folder, *more):
    return ["calibrate", str(folder / "model"), "--data", str(folder / "data"), "--split", str(folder / "split.json"), *map(str, more)]


@pytest.fixture(scope="module")
def calibrated(folder):
    output = folder / "calibrated"
    assert main(words(folder, "--ways", "single-pass", "--group", "Ball", *_names(folder), "-o", output)) == 0
    return api.load_model(output)


def _names(folder):
    return [label.name for label in api.load_model(folder / "model").spec.labels]


def test_the_model_is_the_same_but_for_what_was_learnt(calibrated, folder):
    before = api.load_model(folder / "model")
    assert calibrated.spec.weights == before.spec.weights
    assert not before.spec.calibration_sha256 and calibrated.spec.calibration_sha256
    found = load_calibration(calibrated)
    assert found.cases == 11
    assert [(way.sampler, way.samples) for way in found.ways] == [("single-pass", 1)]
    card = (calibrated.folder / "docs" / "README.md").read_text(encoding="utf-8")
    assert card.count("## How far it can be trusted") == 1
    assert "Ball: 90 % volume interval" in card


def test_figures_are_of_cases_that_were_not_fitted_on(calibrated):
    figures = load_calibration(calibrated).ways[0].figures
    assert figures["cases"] == 3
    for label in figures["regions"]["band"].values():
        for method in ("none", "temperature", "temperature per label", "learned map"):
            assert set(label[method]) == {"ece", "ace", "brier", "nll"}
            assert all(scores["low"] <= scores["high"] for scores in label[method].values())
    assert all(len(curve["none"]["promised"]) == 15 for curve in figures["curves"].values())


def test_a_new_case_gets_promises_and_a_strange_one_a_warning(calibrated, folder):
    volume = api.read_volume(folder / "data" / "imagesTr" / "case_19.nii.gz")
    result = api.estimate_uncertainty(volume, calibrated)
    assert result.calibrated
    assert [report.name for report in result.reports] == [*_names(folder), "Ball"]
    truth, grid = read_label_array(folder / "data" / "labelsTr" / volume.name)
    # A model of so little training may find its own answer bad, or the case strange: then neither the segment nor its group has an interval.
    rejected = {value for report, value in zip(result.reports, (1, 2), strict=False) if report.verdict == "reject"}
    for report, values in zip(result.reports, ([1], [2], [1, 2]), strict=True):
        assert (report.volume_interval_ml is None) == bool(result.findings or rejected & set(values))
        if report.volume_interval_ml is None:
            continue
        low, high = report.volume_interval_ml
        true_ml = float(np.isin(truth, values).sum()) * grid.voxel_volume_ml
        assert low < 1.1 * true_ml and high > 0.9 * true_ml and high - low < 0.5 * true_ml
    dark = api.Volume(-volume.array, volume.geometry)
    assert api.estimate_uncertainty(dark, calibrated).findings
    assert api.unusual(api.Volume(np.tile(volume.array, (1, 3, 3, 3)), api.Geometry((60, 72, 54), volume.geometry.ijk_to_ras)), calibrated)


def test_a_spoilt_calibration_is_made_again_on_cases_some_of_which_have_no_label(calibrated, folder, tmp_path, capsys):
    """Two to calibrate on, one to test on and one that was trained on have nothing to outline; a case that cannot be read is named."""
    shutil.copytree(calibrated.folder, tmp_path / "model")
    (tmp_path / "model" / CALIBRATION_FILE).write_text("{}", encoding="utf-8")
    shutil.copytree(folder / "data", tmp_path / "data")
    for n in (0, 8, 9, 18):
        path = tmp_path / "data" / "labelsTr" / f"case_{n:02}.nii.gz"
        array, grid = read_label_array(path)
        write_label_map(api.LabelMap(np.zeros(array.shape, np.uint8), grid, ()), path)
    arguments = words(folder, "--ways", "single-pass", "-o", tmp_path / "made")
    arguments[1] = str(tmp_path / "model")
    arguments[arguments.index("--data") + 1] = str(tmp_path / "data")
    assert main(arguments) == 0
    found = load_calibration(api.load_model(tmp_path / "made"))
    assert found.cases == 11
    assert found.ways[0].figures["cases"] == 3
    assert np.isfinite([label["none"]["ece"]["high"] for label in found.ways[0].figures["regions"]["band"].values()]).all()
    (tmp_path / "data" / "labelsTr" / "case_10.nii.gz").write_bytes(b"nothing")
    arguments[-1] = str(tmp_path / "none")
    assert main(arguments) == 2
    assert "case_10: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--ways", "guess"], "There is no way of sampling named 'guess'"),
        (["--ways", "dropout"], "was trained without dropout"),
        (["--ways", "augmentation:x"], "expected a number of samples after the colon"),
        (["--group", "Ball", "Nose"], "expected a new name and then labels of"),
    ],
)
def test_a_wrong_wish_is_told_before_anything_runs(more, told, folder, capsys):
    assert main(words(folder, *more, "-o", folder / "none")) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "none").exists()


def test_too_few_cases_are_refused(folder, capsys, tmp_path):
    split = json.loads((folder / "split.json").read_text(encoding="utf-8"))["parts"]
    split["test"] += split["calibrate"][3:]
    split["calibrate"] = split["calibrate"][:3]
    (tmp_path / "split.json").write_text(json.dumps({"parts": split}), encoding="utf-8")
    arguments = words(folder, "-o", tmp_path / "none")
    arguments[arguments.index("--split") + 1] = str(tmp_path / "split.json")
    assert main(arguments) == 2
    assert "There are 3 cases to calibrate on, of a patient each; at least 10 are needed" in capsys.readouterr().err


def test_one_case_of_each_patient_is_calibrated_on(folder, tmp_path, capsys):
    split = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    split["patients"] = {name: f"p{int(name[-2:]) // 2}" for name in split["parts"]["calibrate"][1:]}
    (tmp_path / "split.json").write_text(json.dumps(split), encoding="utf-8")
    arguments = words(folder, "-o", tmp_path / "none")
    arguments[arguments.index("--split") + 1] = str(tmp_path / "split.json")
    assert main(arguments) == 2
    assert "There are 6 cases to calibrate on, of a patient each; at least 10 are needed" in capsys.readouterr().err


def test_images_that_tell_what_is_usual_are_needed(folder, tmp_path, capsys):
    split = json.loads((folder / "split.json").read_text(encoding="utf-8"))["parts"]
    (tmp_path / "split.json").write_text(json.dumps({"parts": {**split, "train": split["train"][:2]}}), encoding="utf-8")
    arguments = words(folder, "-o", tmp_path / "none")
    arguments[arguments.index("--split") + 1] = str(tmp_path / "split.json")
    assert main(arguments) == 2
    assert "There are 2 cases in the part train, which tell what images are usual; at least 4" in capsys.readouterr().err
