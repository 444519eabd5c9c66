"""`deepseg-train calibrate` as a user types it, on a small dataset and a model trained on it."""

import json
import shutil
import sys
import weakref
from dataclasses import replace
from subprocess import run

import numpy as np
import pytest

from deepseg import api
from deepseg.bundle import CALIBRATION_FILE
from deepseg.io import read_label_array, write_label_map
from deepseg.uncertainty.calibration import load_calibration
from deepseg.uncertainty.conformal import contour_thresholds
from deepseg_train.calibration import answers, case_scores, quality
from deepseg_train.calibration.answers import CalibrationAnswer, Sampling, degraded_copies
from deepseg_train.calibration.fit import METHODS
from deepseg_train.calibration.voxels import Voxels
from deepseg_train.cli import main
from deepseg_train.data import open_dataset

PARTS = {"train": range(6), "validation": range(6, 7), "calibrate": range(7, 18), "test": range(18, 21)}


@pytest.fixture(scope="module", autouse=True)
def quick():
    """The networks that predict Dice are fitted in fewer steps than for a real model."""
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
    assert main(words(folder, "--samplers", "single-pass", "--group", "Ball", *_names(folder), "-o", output)) == 0
    return api.load_model(output)


def _names(folder):
    return [label.name for label in api.load_model(folder / "model").spec.labels]


def test_the_model_is_the_same_but_for_what_was_learnt(calibrated, folder):
    before = api.load_model(folder / "model")
    assert calibrated.spec.weights == before.spec.weights
    assert not before.spec.calibration_sha256 and calibrated.spec.calibration_sha256
    found = load_calibration(calibrated)
    assert found.cases == 11
    assert found.data == open_dataset(folder / "data").about
    assert [(way.sampler, way.samples) for way in found.samplers] == [("single-pass", 1)]
    card = (calibrated.folder / "docs" / "README.md").read_text(encoding="utf-8")
    assert card.count("## How far it can be trusted") == 1
    assert "Ball: 90 % volume interval" in card


def test_figures_are_of_cases_that_were_not_fitted_on(calibrated):
    figures = load_calibration(calibrated).samplers[0].figures
    assert figures["cases"] == 3
    for label in figures["regions"]["band"].values():
        for method in ("none", "temperature", "temperature per label", "learned map"):
            assert set(label[method]) == {"ece", "ace", "brier", "nll"}
            assert all(scores["low"] <= scores["high"] for scores in label[method].values())
    assert all(len(curve["none"]["promised"]) == 15 for curve in figures["curves"].values())


def test_no_case_is_scored_with_a_recalibration_that_was_fitted_on_it(calibrated, folder):
    """Volumes and contours of each case are found again by a fit to the other four folds, and not by the fit to all that new cases get."""
    bundle, way = api.load_model(folder / "model"), load_calibration(calibrated).samplers[0]
    cases = [case for case in open_dataset(folder / "data").cases if int(case.name[-2:]) in PARTS["calibrate"]]
    found = [CalibrationAnswer.of(case, bundle, Sampling("single-pass", 1, None)) for case in cases]
    voxels = [Voxels.of_case(answer.mean, answer.target(bundle.spec), n) for n, answer in enumerate(found)]
    fits = [METHODS[way.method](Voxels.together([v for n, v in enumerate(voxels) if n % 5 != fold]), False) for fold in range(5)]

    def scores_by(recalibrations):
        front = [(answer.recalibrated(fit, False)[1], answer.reference == 1) for answer, fit in zip(found, recalibrations, strict=True)]
        return np.array([contour_thresholds(*pair) for pair in front]).T

    outer, inner = scores_by([fits[n % 5] for n in range(len(found))])
    np.testing.assert_allclose(way.contours[1].outer, outer, rtol=1e-4)
    np.testing.assert_allclose(way.contours[1].inner, inner, rtol=1e-4)
    assert np.abs(scores_by([way.recalibration] * len(found))[0] / outer - 1).max() > 1e-3
    both = [np.isin(answer.recalibrated(fits[n % 5], False).argmax(0), (1, 2)).sum() for n, answer in enumerate(found)]
    true = [(answer.reference > 0).sum() for answer in found]
    np.testing.assert_allclose(way.volumes["Ball"].log_ratios, np.log(np.divide(true, both)))


def test_degraded_copies_are_made_and_forgotten_one_by_one(calibrated, folder, monkeypatch):
    made, alive = [], []
    monkeypatch.setattr(answers, "degraded", lambda volume, name, severity, rng: made.append(name) or volume)
    volume, reference = open_dataset(folder / "data").cases[7].read(calibrated.spec)
    copies = degraded_copies(volume, reference, 0, 3)
    next(copies)
    assert len(made) == 1
    assert len(list(copies)) == 3 * (len(answers.DEGRADATIONS) + 1) - 1

    def watched(volume, *_):
        for _ in range(4):
            copy = replace(volume, array=volume.array.copy())
            alive.append(weakref.ref(copy.array))
            yield "copy", copy, reference
            assert sum(array() is not None for array in alive) <= 2, "the one at hand, and the one that is asked for"

    monkeypatch.setattr(case_scores, "degraded_copies", watched)
    case, calibration = open_dataset(folder / "data").cases[7], load_calibration(calibrated)
    bundle, recalibration = api.load_model(folder / "model"), calibration.samplers[0].recalibration
    found = case_scores.case_scores(case, 0, bundle, Sampling("single-pass", 1, calibration.layer), recalibration, {"Front": (1,)}, calibration.guard)
    assert len(alive) == 4 and len(found.quality) == 2 * 5
    assert found.volumes["Front"][0] == pytest.approx((reference.array == 1).sum() * volume.geometry.voxel_volume_ml)


def test_a_new_case_gets_intervals_and_a_strange_one_a_warning(calibrated, folder):
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


def test_a_damaged_calibration_is_made_again_on_cases_some_of_which_have_no_label(calibrated, folder, tmp_path, capsys):
    """Two to calibrate on, one to test on and one that was trained on have nothing to outline; a case that cannot be read is named."""
    shutil.copytree(calibrated.folder, tmp_path / "model")
    (tmp_path / "model" / CALIBRATION_FILE).write_text("{}", encoding="utf-8")
    shutil.copytree(folder / "data", tmp_path / "data")
    for n in (0, 8, 9, 18):
        path = tmp_path / "data" / "labelsTr" / f"case_{n:02}.nii.gz"
        array, grid = read_label_array(path)
        write_label_map(api.LabelMap(np.zeros(array.shape, np.uint8), grid, ()), path)
    arguments = words(folder, "--samplers", "single-pass", "-o", tmp_path / "made")
    arguments[1] = str(tmp_path / "model")
    arguments[arguments.index("--data") + 1] = str(tmp_path / "data")
    assert main(arguments) == 0
    found = load_calibration(api.load_model(tmp_path / "made"))
    assert found.cases == 11
    assert found.samplers[0].figures["cases"] == 3
    assert np.isfinite([label["none"]["ece"]["high"] for label in found.samplers[0].figures["regions"]["band"].values()]).all()
    (tmp_path / "data" / "labelsTr" / "case_10.nii.gz").write_bytes(b"nothing")
    arguments[-1] = str(tmp_path / "none")
    assert main(arguments) == 2
    assert "case_10: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--samplers", "guess"], "There is no sampler named 'guess'"),
        (["--samplers", "dropout"], "was trained without dropout"),
        (["--samplers", "augmentation:x"], "expected a number of samples after the colon"),
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
