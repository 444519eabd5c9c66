"""Tables of several models, brought to the same cases and label names, or refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.measures import MEASURES

Rows = list[dict[str, Any]]


def labels_of(rows: Rows) -> list[str]:
    """Names in a table's order, which is that of the label values."""
    return list(dict.fromkeys(row["label"] for row in rows))


def aligned(first: str, cases: Collection[str], labels: Sequence[str], others: Mapping[str, Rows]) -> tuple[dict[str, Rows], list[str]]:
    """Other models' tables with the first one's label names; may be asked before the first one has answered.

    Names are the same whatever their case. Where no name is shared, as when two people named the same labels, they are matched in their order.

    Args:
        first: the first model's name.
        cases, labels: of the first model, labels in the order of their values.
        others: rows by the model's name.

    Returns:
        The tables, and a sentence on each whose labels were matched in their order.

    Raises:
        DatasetError: a table has other cases or labels.
    """
    found, notes = {}, []
    for name, rows in others.items():
        names, note = _matched(first, labels, name, labels_of(rows))
        found[name] = [{**row, "label": names[row["label"]]} for row in rows]
        notes += [note] if note else []
        apart = {(case, label) for case in cases for label in labels} ^ {(row["case"], row["label"]) for row in found[name]}
        if apart:
            shown = "; ".join(f"{case}, {label}" for case, label in sorted(apart)[:5])
            raise DatasetError(
                f"{first} and {name} do not hold the same cases and labels: {len(apart)} are in one of them only ({shown}). "
                "Evaluate both on the same cases."
            )
    return found, notes


def refuse_lacking(models: Mapping[str, Rows], measures: Sequence[str]) -> None:
    """Raises DatasetError where a measure is none of `MEASURES`, or a table lacks it."""
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown:
        raise DatasetError(f"There is no measure {', '.join(unknown)}; the measures are {', '.join(MEASURES)}.")
    for name, rows in models.items():
        lacking = [measure for measure in measures if any(measure not in row for row in rows)]
        if lacking:
            raise DatasetError(f"{name} has no {', '.join(lacking)}; choose other measures or evaluate again.")


def _matched(first: str, ours: Sequence[str], second: str, theirs: Sequence[str]) -> tuple[dict[str, str], str]:
    """Our name of each of their labels, and a sentence where the names differ."""
    known = {name.casefold(): name for name in ours}
    named = {name: known[name.casefold()] for name in theirs if name.casefold() in known}
    if len(named) == len(ours) == len(theirs):
        return named, ""
    if named or len(ours) != len(theirs):
        raise DatasetError(f"{first} has the labels {', '.join(ours)}; {second} has {', '.join(theirs)}. Only the same labels can be compared.")
    pairs = ", ".join(f"{its} as {our}" for our, its in zip(ours, theirs, strict=True))
    return dict(zip(theirs, ours, strict=True)), f"{second} names its labels otherwise; taken in their order: {pairs}."
