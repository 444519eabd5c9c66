"""The README's table against the rival, made of rows that `evaluate --csv` wrote."""

import json
from pathlib import Path

import pytest

from deepseg_train.evaluation.measures import MEASURES
from deepseg_train.evaluation.rows import write_rows
from rival.table import table


@pytest.fixture
def results(tmp_path):
    # Label files are named as the dataset names its labels, a model's as it does.
    for name, lead, labels in (("rival", 0.0, ("Front", "Back")), ("ours", 0.01, ("Front part", "Back part"))):
        rows = [
            {
                "case": f"case_{n}",
                "patient": f"case_{n}",
                "label": label,
                **dict.fromkeys(MEASURES, 0.5),
                "dice": 0.8 + n / 100 + lead + n * lead / 100,
            }
            for n in range(8)
            for label in labels
        ]
        write_rows(rows, tmp_path / f"{name}.csv")
    runs = {"rival": {"title": "Rival", "minutes": 75}, "ours": {"title": "Ours", "minutes": 74.5}}
    (tmp_path / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    return tmp_path


def test_the_first_run_is_what_the_others_are_compared_with(results):
    told = table(results).splitlines()
    assert told[0].startswith("|  | minutes of training | Dice, Front | Dice, Back | HD95 (mm), Front")
    assert told[2].startswith("| Rival | 75 | 0.835 (")
    assert told[3].startswith("| Ours | 74.5 | 0.845 (")
    # The lead is 0.01 + n / 10000, 0.01035 on average. All 8 cases are better: p = 2 / 2^8, and one model needs no correction.
    assert "Ours against Rival: mean Dice +0.010" in told[-1]
    assert "better in 8 of 8 cases, Wilcoxon's p 0.008, by Holm 0.008." in told[-1]


def test_the_readme_shows_the_committed_figures():
    assert table() in (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
