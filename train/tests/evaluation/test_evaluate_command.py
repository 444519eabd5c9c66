"""`deepseg-train evaluate`, as it is used."""

import json
from dataclasses import replace

import pytest

from deepseg import api
from deepseg_train.commands import evaluate
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation import read_rows

from .conftest import run_command


def run(boxes, *arguments):
    return run_command(evaluate, "evaluate", "--data", boxes, *arguments)


def test_label_files_made_elsewhere_with_groups_and_another_model(boxes, tmp_path, capsys):
    run(boxes, "--predictions", boxes / "predicted", "--csv", tmp_path / "first.csv")
    told = capsys.readouterr().out
    assert "without --split all cases are used, also any that the model was trained on" in told
    assert "| Front |" in told and "6 cases; mean and 95 % BCa bootstrap over cases." in told
    assert len(read_rows(tmp_path / "first.csv")) == 12
    run(
        boxes,
        *("--predictions", boxes / "labelsTr", "--table", boxes / "columns.csv", "--by", "sex", "age:40,60"),
        *("--against", tmp_path / "first.csv"),
    )
    told = capsys.readouterr().out
    assert "| label | sex | patients |" in told and "below 40" in told
    # Five of the six boxes are short in the first one.
    assert "| first | Front | Dice | 1.000 |" in told and "| 0 / 1 / 5 |" in told


def test_a_model_is_run_and_its_probabilities_ranked(boxes, tiny_model, tmp_path, capsys):
    run(boxes, tiny_model, "--csv", tmp_path / "rows.csv")
    rows = read_rows(tmp_path / "rows.csv")
    assert len(rows) == 12 and all(0 <= row["auroc"] <= 1 for row in rows)
    assert "AUPRC" in capsys.readouterr().out


def test_answers_to_mirrored_images_are_averaged_where_that_is_asked_for(boxes, tiny_model, tmp_path):
    tiny = api.ModelBundle.load(tiny_model)
    weights = {name: tiny.build_network(0).state_dict() for name in tiny.spec.weights}
    spec = replace(tiny.spec, output=replace(tiny.spec.output, mirror_axes=(0,)))
    model = api.ModelBundle.save(tmp_path / "mirroring", spec, weights, "card", "licence").folder
    for name, how in (("once", ()), ("mirrored", ("--mirror",))):
        run(boxes, model, *how, "--csv", tmp_path / f"{name}.csv")
    once, mirrored = ([row["auroc"] for row in read_rows(tmp_path / f"{name}.csv")] for name in ("once", "mirrored"))
    assert all(a != b for a, b in zip(once, mirrored, strict=True))


def test_with_a_split_nothing_is_said_of_training_cases(boxes, tmp_path, capsys):
    parts = {"train": ["short_0"], "validation": [], "calibrate": [], "test": ["short_1", "short_2"]}
    (tmp_path / "split.json").write_text(json.dumps({"parts": parts, "patients": {"short_1": "p", "short_2": "p"}}), encoding="utf-8")
    run(boxes, "--predictions", boxes / "predicted", "--split", tmp_path / "split.json", "--csv", tmp_path / "rows.csv")
    assert "trained on" not in capsys.readouterr().out
    assert {row["patient"] for row in read_rows(tmp_path / "rows.csv")} == {"p"}


def test_what_cannot_be_compared_is_told_before_any_case_is_answered(boxes, tiny_model, tmp_path, monkeypatch):
    from deepseg_train.evaluation import cases

    (tmp_path / "other.csv").write_text("case,label,dice,hd95_mm,surface_dice_1mm\nsomebody,Front,1,1,1\nsomebody,Back,1,1,1\n", encoding="utf-8")
    monkeypatch.setattr(cases, "answered", lambda *_: pytest.fail("cases were answered"))
    with pytest.raises(DatasetError, match="do not hold the same cases"):
        run(boxes, tiny_model, "--against", tmp_path / "other.csv", "--csv", tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Name a model"),
        (["--predictions", "nowhere"], "lacks predictions for 6 of 6 cases"),
        (["--predictions", "nowhere", "--parts", "tset"], "no part tset"),
        (["--predictions", "nowhere", "--parts", "test"], "--parts test names parts of a split; name its file with --split"),
        (["--predictions", "nowhere", "--mirror"], "--mirror is how a model is run, and --predictions evaluates label files"),
        (["--predictions", "nowhere", "--by", "sex"], "no column 'sex'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(boxes, arguments, told):
    with pytest.raises(DatasetError, match=told):
        run(boxes, *arguments)


@pytest.mark.parametrize("option", ["--csv", "--report", "--checklist"])
def test_nothing_is_overwritten(boxes, tmp_path, option):
    path = tmp_path / {"--csv": "a.csv", "--report": "a.html", "--checklist": "a.md"}[option]
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(api.OutputError, match="exists already"):
        run(boxes, "--predictions", boxes / "predicted", option, path)
    assert path.read_text(encoding="utf-8") == "mine"
