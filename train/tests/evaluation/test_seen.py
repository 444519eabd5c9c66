"""Which images a model was trained on: kept in it, known again in copies, told where it is asked about them."""

import json
import shutil
from dataclasses import replace

import pytest

from deepseg.bundle import ModelBundle
from deepseg_train.commands import calibrate, evaluate, variants
from deepseg_train.config import load_config
from deepseg_train.data import open_dataset
from deepseg_train.data.seen import KEY, Seen, content_sha256
from deepseg_train.errors import ConfigError, DatasetError
from deepseg_train.export import measured_on
from deepseg_train.training.run_inputs import record_inputs

from .conftest import run_command


def seen_in(cases):
    return Seen.of(content_sha256(path) for case in cases for path in case.images)


@pytest.fixture(scope="module")
def cases(msd_folder):
    return open_dataset(msd_folder).cases


def test_copies_of_files_are_known_again(cases, tmp_path):
    seen = Seen.from_json(json.loads(json.dumps(seen_in(cases[:3]).to_json())))
    copy = tmp_path / "renamed.nii.gz"
    shutil.copyfile(cases[0].images[0], copy)
    other = replace(cases[5], images=(copy,))
    assert seen.among([*cases[2:5], other]) == [cases[2], other]
    assert (
        seen.remark("it", [cases[1], cases[4]])
        == f"it was trained on 1 of these 2 cases, such as {cases[1].name}; it does better on them than on others."
    )
    assert seen.remark("it", cases[4:]) == "" and Seen().remark("it", cases) == ""


def test_what_several_models_have_seen_adds_up(cases, tiny_model):
    silent = Seen.by(ModelBundle.load(tiny_model).spec)
    both = seen_in(cases[:2]) | seen_in(cases[1:3]) | silent | silent
    assert both.among(cases) == list(cases[:3])
    assert both.untold == ("tiny",) and "3 files, known by their SHA-256; tiny does not tell" in both.told


def test_figures_are_called_those_of_unseen_cases_only_where_they_are(cases):
    test = [replace(case, patient="one") for case in cases[:2]] + [cases[2]]
    assert measured_on(test, seen_in(cases[5:])) == "Test cases of the run's split (2 patients, not used in training)."
    assert "(2 patients, 1 of them used in training, by this model or one that it learned from)" in measured_on(test, seen_in(cases[2:]))
    assert "not used in this training; which images other was trained on is not known" in measured_on(test, Seen(untold=("other",)))


def test_an_image_under_two_patients_is_refused_before_training(cases, small_config, tmp_path):
    config, copy = load_config(small_config), replace(cases[5], images=cases[0].images)
    with pytest.raises(DatasetError, match=r"case_05 \(patient case_05\) has that of case_00 \(patient case_00\)\. .*draw the split anew"):
        record_inputs(tmp_path, [*cases[:3], copy], config)
    assert not list(tmp_path.iterdir())
    # Two outlines of one patient's image are none of two.
    record_inputs(tmp_path, [*cases[:3], replace(copy, patient=cases[0].patient)], config)


@pytest.fixture
def knowing(boxes, tiny_model, tmp_path):
    """A model that was trained on two of the boxes."""
    tiny = ModelBundle.load(tiny_model)
    spec = replace(tiny.spec, provenance={KEY: seen_in(open_dataset(boxes).cases[:2]).to_json()})
    weights = {name: tiny.build_network(0).state_dict() for name in tiny.spec.weights}
    return ModelBundle.save(tmp_path / "knowing", spec, weights, "card", "licence").folder


def test_evaluate_and_its_report_tell_cases_that_were_trained_on(boxes, knowing, tmp_path, capsys):
    run_command(evaluate, "evaluate", knowing, "--data", boxes, "--report", tmp_path / "report.html")
    remark = "was trained on 2 of these 6 cases, such as short_0"
    assert remark in capsys.readouterr().out
    assert remark in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_models_that_do_not_tell_what_they_have_seen_are_named_by_each_command_that_measures_them(boxes, tiny_model, tmp_path, capsys):
    doubt = "Note: tiny does not tell which images it was trained on; they may be among those kept for figures."
    run_command(evaluate, "evaluate", tiny_model, "--data", boxes, "--report", tmp_path / "report.html")
    assert doubt in capsys.readouterr().out
    assert doubt.removeprefix("Note: ") in (tmp_path / "report.html").read_text(encoding="utf-8")
    run_command(evaluate, "evaluate", tiny_model, "--predictions", boxes / "predicted", "--data", boxes)
    assert doubt not in capsys.readouterr().out
    names = [case.name for case in open_dataset(boxes).cases]
    (tmp_path / "split.json").write_text(json.dumps({"parts": {"train": names, "validation": [], "calibrate": [], "test": []}}), encoding="utf-8")
    rest = ("--data", boxes, "--split", tmp_path / "split.json", "-o", tmp_path / "out")
    with pytest.raises(DatasetError, match="There are 0 cases to calibrate on"):
        run_command(calibrate, "calibrate", tiny_model, *rest, "--samplers", "single-pass")
    assert doubt in capsys.readouterr().out
    with pytest.raises(ConfigError, match="no case to measure variants on"):
        run_command(variants, "variants", tiny_model, *rest, "--kinds", "float16")
    assert doubt in capsys.readouterr().out


def test_nothing_is_promised_from_cases_that_were_trained_on(boxes, knowing, tmp_path):
    names = [case.name for case in open_dataset(boxes).cases]
    parts = {"train": names[2:4], "validation": [], "calibrate": names[:2], "test": names[4:]}
    (tmp_path / "split.json").write_text(json.dumps({"parts": parts}), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"part calibrate of the split is not new to the model: .* was trained on 2 of these 2 cases"):
        run_command(
            calibrate, "calibrate", knowing, "--data", boxes, "--split", tmp_path / "split.json", "--samplers", "single-pass", "-o", tmp_path / "out"
        )
