"""Figures over cases: what is worst, and what a missed label does to them."""

import json
import math

from deepseg_train.evaluate import MEASURES, summarise, table


def rows(**measured):
    """A row per value; measures that are not named are 0.5 everywhere."""
    count = len(next(iter(measured.values())))
    return [{"case": str(n), "label": "A", **dict.fromkeys(MEASURES, 0.5), **{m: v[n] for m, v in measured.items()}} for n in range(count)]


def test_the_worst_case_is_the_lowest_score_and_the_largest_error():
    figures = summarise(rows(dice=[0.9, 0.7, 0.8], hd95_mm=[0.0, 1.0, 0.5], volume_error_percent=[1.0, -3.0, 2.0]))["labels"]["A"]
    assert [figures[m]["worst"] for m in ("dice", "hd95_mm", "volume_error_percent")] == [0.7, 1.0, -3.0]


def test_a_label_missed_in_a_case_leaves_figures_that_json_can_hold():
    summary = summarise(rows(dice=[0.9, 0.0], hd95_mm=[1.0, math.inf]))
    json.dumps(summary, allow_nan=False)
    assert summary["labels"]["A"]["hd95_mm"]["mean"] is None
    assert summary["labels"]["A"]["dice"]["mean"] == 0.45
    assert "infinite (label missed in a case)" in table(summary)
