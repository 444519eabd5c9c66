"""The report and the checklist, from real files."""

import re
from dataclasses import replace

import numpy as np
import pytest

from deepseg import api
from deepseg_train.commands import evaluate
from deepseg_train.data import open_dataset
from deepseg_train.evaluation.card import licence_text, model_card
from deepseg_train.evaluation.cases import FolderAnswers, ModelAnswers, rows_of
from deepseg_train.evaluation.checklist import TO_FILL, checklist
from deepseg_train.evaluation.findings import Findings
from deepseg_train.evaluation.grouping import groups_by
from deepseg_train.evaluation.report import render
from deepseg_train.evaluation.subgroups import subgroups
from deepseg_train.evaluation.summary import summarise
from deepseg_train.evaluation.tripod import ITEMS
from deepseg_train.evaluation.worst_cases import worst_cases, worst_place, worst_rows

from .conftest import LABELS, box, run_command


def findings(boxes, answers, bundle=None):
    dataset = open_dataset(boxes, table=boxes / "columns.csv")
    rows = rows_of(answers, dataset.cases)
    groups = subgroups(rows, *groups_by(dataset.cases, "sex"))
    parts = {"train": 9, "validation": 0, "calibrate": 0, "test": 6}
    others = {"<other>": [row | {"dice": row["dice"] / 2} for row in rows]}
    return Findings("boxes", dataset, "all cases", dataset.cases, answers, rows, summarise(rows), bundle, (groups,), others, parts)


@pytest.fixture(scope="module")
def found(boxes):
    return findings(boxes, FolderAnswers(boxes / "predicted", LABELS))


@pytest.fixture(scope="module")
def page(found):
    return render(found)


def test_a_report_shows_everything_and_loads_nothing(page):
    for words in ("Mean Dice over 6 cases: Front 0.", "Bland-Altman", "By sex", "equalised odds gap", "Against other models", "missed altogether"):
        assert words in page
    # What looks like an address is a name of a format, or lies within the page.
    assert set(re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'#)]{4})', page)) <= {"data"}
    assert page.count('class="plot"') == 3
    assert page.count('class="slice"') == 12
    assert "&lt;other&gt;" in page and "<other>" not in page
    assert "Calibration" not in page


def test_plots_have_a_dot_for_each_case_and_a_mark_for_what_is_infinite(page):
    plots = re.findall(r'<svg [^>]*class="plot".*?</svg>', page)
    drawn = [len(re.findall(r"<use ", plot)) for plot in plots]
    assert all(count >= 12 for count in drawn)
    assert "var(--ink)" in plots[0] and "#010203" not in page


def test_the_worst_place_is_the_wrong_voxel_furthest_off():
    reference, predicted = box((2, 2, 2), (5, 5, 5)) > 0, box((2, 2, 2), (5, 5, 5)) > 0
    predicted[2, 2, 7] = True
    assert worst_place(reference, predicted, (1.0, 1.0, 1.5)) == ((2, 2, 7), pytest.approx(3 * 1.5))
    # A missed part, three voxels of 2 mm from what is left of the prediction.
    reference[3, 5:8, 3] = True
    assert worst_place(reference, predicted, (1.0, 2.0, 1.5)) == ((3, 7, 3), pytest.approx(6.0))
    assert worst_place(reference, reference, (1.0, 1.0, 1.0))[1] == 0
    assert worst_place(reference & False, box((4, 4, 4), (7, 7, 7)) > 0, (1.0, 1.0, 1.0)) == ((5, 5, 5), np.inf)


def test_the_worst_cases_are_shown_with_their_worst_label(found):
    assert [(row["case"], row["label"]) for row in worst_rows(found.rows)] == [
        ("short_3", "Back"),
        ("short_5", "Front"),
        ("short_4", "Front"),
        ("short_2", "Front"),
    ]
    shown = worst_cases(found)
    assert shown[1].told == "Dice 0.286, HD95 (mm) 5.00, volume error (mL) -0.240; furthest off by 5.0 mm here"
    # The voxels at i = 2 are missed: the sagittal slice is there, 2 mm from the grid's first voxel, which lies at 0.
    assert shown[1].pictures[2][0] == "Sagittal, R 2 mm"


def test_the_checklist_tells_what_was_run_and_leaves_the_rest_open(boxes, tiny_model, found):
    bundle = api.load_model(tiny_model)
    told = checklist(findings(boxes, ModelAnswers(bundle), bundle))
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in told.splitlines() if line.startswith("| ")}
    assert all(item.number in lines for item in ITEMS)
    assert "9 train, 0 validation, 0 calibrate, 6 test" in lines["12a"]
    assert "f 3, m 3" in lines["20b"] and "age median" in lines["20b"]
    assert "DynUNet, window 16 x 16 x 16 voxels. seed 5." in lines["12c"]
    assert "zscore" in lines["7"] and bundle.sha256 in lines["22"]
    assert "Trained on: Boxes" in lines["5a"] and "Evaluated on: Boxes" in lines["5a"]
    for number in ("2", "5b", "6a", "8b", "17", "18a", "19", "25", "26"):
        assert lines[number].endswith(f"{TO_FILL} |")
    assert "## By sex" in told
    elsewhere = checklist(found)
    assert "SHA-256" not in elsewhere and "Trained on" not in elsewhere


def test_a_model_card_tells_the_measured_figures(tiny_model, found):
    spec = replace(api.load_model(tiny_model).spec, metrics={"what": "The six boxes.", **found.summary})
    card = model_card(spec)
    assert "The six boxes." in card and "| Front | 0." in card and "infinite in 1 of 6 cases" in card
    assert "Mean and 95 % BCa bootstrap over cases, 6 cases." in card
    assert "Licence of the weights: CC0-1.0" in licence_text(spec)


def test_items_are_those_of_the_guideline():
    numbers = [item.number for item in ITEMS]
    assert len(numbers) == len(set(numbers)) == 52
    assert {int(re.match(r"\d+", number)[0]) for number in numbers} == set(range(1, 28))


def test_the_command_writes_both(boxes, tiny_model, tmp_path, capsys):
    (tmp_path / "page").mkdir()
    report, todo = tmp_path / "page" / "report.html", tmp_path / "todo.md"
    run_command(evaluate, "evaluate", tiny_model, "--data", boxes, "--report", report, "--checklist", todo)
    assert f"Written: {report}" in capsys.readouterr().out
    assert "Evaluation: Tiny" in report.read_text(encoding="utf-8")
    assert "TRIPOD+AI checklist: Tiny" in todo.read_text(encoding="utf-8")
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["report.html"]
