"""Subgroups as tables."""

from __future__ import annotations

from deepseg_train.evaluation.comparison import p_text
from deepseg_train.evaluation.measures import MEASURES
from deepseg_train.evaluation.statistics import Interval
from deepseg_train.evaluation.subgroups import FIGURES, Subgroups
from deepseg_train.evaluation.tables import markdown

NOTE = (
    "Means with 95 % intervals over patients. Rates are shares of voxels: the predicted positive rate of all voxels of an image, the true positive "
    "rate of those of the label, the false positive rate of the others. Gaps are the largest difference between groups (equalised odds: the larger "
    "one of the gaps of true and false positive rates); p by 5000 random assignments of patients to groups, so never below 0.0002; p (Holm) "
    "corrected for all questions here. A group of one patient has an interval without width, which says nothing."
)


def group_cells(found: Subgroups) -> tuple[list[str], list[list[str]]]:
    """Heads and a line for each label and group."""
    heads = ["label", found.column, "patients", *(MEASURES[name].title if name in MEASURES else name for name in FIGURES)]
    lines = [
        [label.label, group.name, str(group.patients), *(_cell(name, group.figures[name]) for name in FIGURES)]
        for label in found.labels
        for group in label.groups
    ]
    return heads, lines


def question_cells(found: Subgroups) -> tuple[list[str], list[list[str]]]:
    """Heads and a line for each label and question."""
    lines = [
        [label.label, test.question, _cell("gap", test.gap) if test.gap else "", p_text(test.p), p_text(test.corrected_p)]
        for label in found.labels
        for test in label.tests
    ]
    return ["label", "question", "gap (95 % interval)", "p", "p (Holm)"], lines


def subgroup_table(found: Subgroups) -> str:
    """Both as Markdown, with a sentence on what they say."""
    unknown = f" Left out for want of a value: {found.unknown}." if found.unknown else ""
    return f"{markdown(*group_cells(found))}\n\n{markdown(*question_cells(found))}\n\n{NOTE}{unknown}"


def _cell(name: str, figures: Interval | None) -> str:
    if figures is None:
        return "infinite or undefined"
    # A label takes up a small part of an image, whose rates would all be 0.000.
    digits = MEASURES[name].decimals if name in MEASURES else 4
    return f"{figures.mean:.{digits}f} ({figures.low:.{digits}f} to {figures.high:.{digits}f})"
