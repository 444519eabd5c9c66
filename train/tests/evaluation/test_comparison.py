"""Models against each other."""

import math

import pytest

from deepseg_train.commands import compare
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.comparison import ALL_LABELS, comparison_table, paired_lines
from deepseg_train.evaluation.rows import write_rows

from .conftest import run_command


def rows(front, back, measure="dice"):
    return [
        {"case": f"c{n}", "patient": f"c{n}", "label": label, measure: value}
        for n, pair in enumerate(zip(front, back, strict=True))
        for label, value in zip(("Front", "Back"), pair, strict=True)
    ]


FIRST = rows([0.80, 0.81, 0.82, 0.83, 0.84, 0.85], [0.7] * 6)
BETTER = rows([0.81, 0.83, 0.85, 0.87, 0.89, 0.91], [0.7] * 6)


def test_a_paired_table_by_hand():
    lines = paired_lines({"ours": FIRST, "theirs": BETTER}, ["dice"])
    front, back, together = lines
    assert (front.label, back.label, together.label) == ("Front", "Back", ALL_LABELS)
    # Six of six cases better: 2 / 64; of three tests with p = 0.03125 twice and 1 once Holm makes 0.09375.
    assert front.result.p == pytest.approx(2 / 64)
    assert [line.corrected_p for line in lines] == pytest.approx([0.09375, 1, 0.09375])
    assert together.result.difference.mean == pytest.approx(0.035 / 2)
    assert (front.better, front.result.equal, back.better, back.result.equal) == (6, 0, 0, 6)
    told = comparison_table("ours", lines)
    assert "| theirs | Front | Dice | 0.825 | 0.860 | +0.035 (" in told
    assert "| 6 / 0 / 0 | 0.031 | 0.094 |" in told
    assert "over 6 cases" in told and "the 3 tests" in told


def test_several_models_are_corrected_together_and_smaller_distances_are_better():
    distances = rows([1.0, 2, 3, 4, 5, math.inf], [1.0] * 6, "hd95_mm"), rows([0.5, 1, 2, 3, 4, 5], [1.0] * 6, "hd95_mm")
    lines = paired_lines({"a": distances[0], "b": distances[1], "c": distances[0]}, ["hd95_mm"])
    assert len(lines) == 6
    assert lines[0].better == 6 and lines[3].better == 0 and lines[3].result.p == 1
    assert lines[0].corrected_p == pytest.approx(6 * 2 / 64)
    assert "infinite" in comparison_table("a", lines)


def test_errors_about_zero_are_compared_by_their_size():
    over, under = rows([3.0] * 6, [3.0] * 6, "volume_error_ml"), rows([-1.0, -1.1, -1.2, -1.3, -1.4, -1.5], [-3.0] * 6, "volume_error_ml")
    front, back, _ = paired_lines({"over": over, "under": under}, ["volume_error_ml"])
    assert front.better == 6 and back.result.equal == 6


def test_models_on_other_cases_or_without_a_measure_are_refused():
    with pytest.raises(DatasetError, match="same cases and labels: 2 are in one of them only"):
        paired_lines({"a": FIRST, "b": BETTER[:-2]})
    with pytest.raises(DatasetError, match="a has no hd95_mm"):
        paired_lines({"a": FIRST, "b": BETTER}, ["hd95_mm"])
    with pytest.raises(DatasetError, match="at least two"):
        paired_lines({"a": FIRST})


def renamed(rows, names):
    return [{**row, "label": names[row["label"]]} for row in rows]


def test_labels_that_somebody_named_otherwise_are_matched_in_their_order(tmp_path, capsys):
    plain = paired_lines({"a": FIRST, "b": BETTER}, ["dice"])
    assert paired_lines({"a": FIRST, "b": renamed(BETTER, {"Front": "FRONT", "Back": "back"})}, ["dice"]) == plain
    other = renamed(BETTER, {"Front": "Head", "Back": "Tail"})
    assert paired_lines({"a": FIRST, "b": other}, ["dice"]) == plain
    write_rows(FIRST, tmp_path / "a.csv")
    write_rows(other, tmp_path / "b.csv")
    run_command(compare, "compare", tmp_path / "a.csv", tmp_path / "b.csv", "--measures", "dice")
    assert "Note: b names its labels otherwise; taken in their order: Head as Front, Tail as Back." in capsys.readouterr().out


def test_labels_of_which_only_some_are_the_same_are_refused():
    with pytest.raises(DatasetError, match="a has the labels Front, Back; b has Back, Tail"):
        paired_lines({"a": FIRST, "b": renamed(BETTER, {"Front": "Back", "Back": "Tail"})}, ["dice"])
    with pytest.raises(DatasetError, match=r"b has Front\. Only the same labels"):
        paired_lines({"a": FIRST, "b": [row for row in BETTER if row["label"] == "Front"]}, ["dice"])


def test_the_command_prints_the_table(tmp_path, capsys):
    for name, content in (("ours", FIRST), ("nnunet", BETTER)):
        write_rows(content, tmp_path / f"{name}.csv")
    tables = (tmp_path / "ours.csv", tmp_path / "nnunet.csv")
    run_command(compare, "compare", *tables, "--measures", "dice")
    assert "| nnunet | mean over labels | Dice |" in capsys.readouterr().out
    with pytest.raises(DatasetError, match=r"2 tables need as many different names.*pass --names to `deepseg-train compare`"):
        run_command(compare, "compare", *tables, "--names", "one")
