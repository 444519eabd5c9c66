"""Groups, their gaps and their tests against numbers worked out by hand."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from deepseg_train.data import Case, open_dataset
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.cases import FolderAnswers, rows_of
from deepseg_train.evaluation.grouping import groups_by
from deepseg_train.evaluation.subgroup_table import subgroup_table
from deepseg_train.evaluation.subgroups import gap_test, subgroups

from .conftest import LABELS


def row(case, dice, tpr, fpr, predicted, patient=None):
    return {
        "case": case,
        "patient": patient or case,
        "label": "A",
        "dice": dice,
        "hd95_mm": 1.0,
        "sensitivity": tpr,
        "specificity": 1 - fpr,
        "predicted_ml": predicted,
        "reference_ml": 2.0,
        "image_ml": 100.0,
    }


ROWS = [
    row("a", 0.9, 0.90, 0.01, 2.0),
    row("b", 0.8, 0.80, 0.03, 4.0),
    row("c", 0.6, 0.50, 0.10, 9.0),
    row("d", 0.7, 0.70, 0.20, 11.0),
    row("e", 0.5, math.nan, 0.0, 1.0),
]
GROUPS = {"a": "f", "b": "f", "c": "m", "d": "m", "e": ""}


def test_gaps_by_hand():
    found = subgroups(ROWS, "sex", GROUPS)
    (label,) = found.labels
    assert found.unknown == 1
    assert [(group.name, group.patients) for group in label.groups] == [("f", 2), ("m", 2)]
    f, m = (group.figures for group in label.groups)
    assert (f["predicted positive rate"].mean, m["predicted positive rate"].mean) == pytest.approx((0.03, 0.10))
    assert (f["true positive rate"].mean, m["true positive rate"].mean) == pytest.approx((0.85, 0.60))
    assert (f["false positive rate"].mean, m["false positive rate"].mean) == pytest.approx((0.02, 0.15))
    assert m["reference positive rate"].mean == pytest.approx(0.02)
    gaps = {test.question: test for test in label.tests}
    assert gaps["Dice gap"].gap.mean == pytest.approx(0.85 - 0.65)
    assert gaps["demographic parity gap"].gap.mean == pytest.approx(0.07)
    assert gaps["equalised odds gap"].gap.mean == pytest.approx(max(0.25, 0.13))
    # Of the 6 ways to choose two of four patients, 2 make as large a gap in Dice.
    assert gaps["Dice gap"].p == pytest.approx(2 / 6, abs=0.03)
    # Resampling two of each group: Dice means of 0.9, 0.85, 0.8 and of 0.6, 0.65, 0.7.
    assert (gaps["Dice gap"].gap.low, gaps["Dice gap"].gap.high) == pytest.approx((0.1, 0.3))
    assert gaps["HD95 differs (Kruskal-Wallis)"].p == 1
    assert gaps["Dice differs (Kruskal-Wallis)"].p == pytest.approx(stats.kruskal([0.9, 0.8], [0.6, 0.7]).pvalue)
    told = subgroup_table(found)
    assert "| A | m | 2 | 0.650 (" in told and "Left out for want of a value: 1." in told


def test_patients_without_the_label_have_a_part_in_what_is_drawn_falsely():
    rows = [row("a", 0.9, 0.85, 0.01, 2.0), row("b", 0.8, 0.85, 0.03, 4.0), row("c", 0.6, 0.85, 0.1, 9.0), row("d", 0.7, 0.85, 0.2, 11.0)]
    healthy = row("e", 0.0, math.nan, 0.9, 90.0)
    gaps = {test.question: test.gap for test in subgroups([*rows, healthy], "sex", GROUPS | {"e": "f"}).labels[0].tests}
    # False positive rates of (0.01 + 0.03 + 0.9) / 3 and 0.15; true positive ones of 0.85 in both.
    assert gaps["equalised odds gap"].mean == pytest.approx(0.94 / 3 - 0.15)
    without = [row(case, 0.5, math.nan, rate, 1.0) for case, rate in (("a", 0.1), ("b", 0.2))]
    gaps = {test.question: test.gap for test in subgroups([*without, *rows[2:]], "sex", GROUPS).labels[0].tests}
    assert gaps["equalised odds gap (false positive rate alone)"].mean == pytest.approx(0, abs=1e-12)


def test_of_three_groups_the_widest_gap_counts():
    values, member = np.array([[0.1, 0.1, 0.4, 0.4, 0.9, 0.9]]), np.array([0, 0, 1, 1, 2, 2])
    gap, p = gap_test(values, member)
    assert (gap.mean, gap.low, gap.high) == pytest.approx((0.8, 0.8, 0.8))
    ways = [ptp(values[0, list(order)]) for order in itertools.permutations(range(6))]
    assert p == pytest.approx(np.mean(np.array(ways) >= 0.8 - 1e-9), abs=0.02)


def ptp(ordered):
    return np.ptp(ordered.reshape(3, 2).mean(1))


def test_groups_that_do_not_differ_seldom_have_a_small_p():
    rng = np.random.default_rng(4)
    member = np.repeat([0, 1], 12)
    small = sum(gap_test(rng.normal(size=(2, 24)), member)[1] <= 0.1 for _ in range(40))
    assert small <= 9
    assert gap_test(rng.normal(size=(2, 24)) + 3 * member, member)[1] < 0.001


def test_a_patient_counts_once_however_many_cases_there_are():
    rows = [row(f"a{n}", 0.9, 0.9, 0.0, 2.0, "a") for n in range(9)] + [row("b", 0.5, 0.5, 0.0, 2.0), row("c", 0.6, 0.6, 0.0, 2.0)]
    groups = {each["case"]: "f" if each["case"] != "c" else "m" for each in rows}
    (label,) = subgroups(rows, "sex", groups).labels
    assert label.groups[0].patients == 2
    assert label.groups[0].figures["dice"].mean == pytest.approx(0.7)


def cases_with(**columns):
    count = len(next(iter(columns.values())))
    return [Case(str(n), str(n), (), Path("label"), {key: values[n] for key, values in columns.items()}) for n in range(count)]


def test_numbers_make_bands_and_words_do_not():
    ages = ["20", "30", "40", "50", "60", "70", ""]
    assert set(groups_by(cases_with(age=ages), "age:40,60")[1].values()) == {"below 40", "40 to below 60", "60 and more", ""}
    thirds = list(groups_by(cases_with(age=ages), "age")[1].values())
    assert thirds == ["below 36.67"] * 2 + ["36.67 to below 53.33"] * 2 + ["53.33 and more"] * 2 + [""]
    assert groups_by(cases_with(field=["1.5", "3", "3"]), "field")[1] == {"0": "1.5", "1": "3", "2": "3"}
    with pytest.raises(DatasetError, match="no column 'sex'; the dataset has age"):
        groups_by(cases_with(age=ages), "sex")
    with pytest.raises(DatasetError, match="no bands"):
        groups_by(cases_with(site=["north"]), "site:3")
    with pytest.raises(DatasetError, match="something else than numbers"):
        groups_by(cases_with(age=ages), "age:old")


def test_bands_are_told_in_their_order_and_one_group_is_none(boxes):
    cases = open_dataset(boxes, table=boxes / "columns.csv").cases
    rows = rows_of(FolderAnswers(boxes / "predicted", LABELS), cases)
    found = subgroups(rows, *groups_by(cases, "age:40,60"))
    assert [group.name for group in found.labels[0].groups] == ["below 40", "40 to below 60", "60 and more"]
    assert found.labels[1].groups[1].figures["hd95_mm"] is None
    with pytest.raises(DatasetError, match="By the column 'age' the cases make 1 group"):
        subgroups(rows, *groups_by(cases, "age:500"))
