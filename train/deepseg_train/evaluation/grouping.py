"""Which group a case belongs to: the value of a column, or a band of its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepseg_train.data.cases import Case
from deepseg_train.errors import DatasetError

_MOST_VALUES = 5
"""Numbers with more different values than this make bands."""


def groups_by(cases: Sequence[Case], asked: str) -> tuple[str, dict[str, str]]:
    """Group cases.

    Args:
        cases: with columns.
        asked: a column; or a column of numbers and the edges of bands, for example 'age:40,60'. Without edges a column with more than five
            different numbers is cut into thirds.

    Returns:
        The column, and the group by case; '' where the table says nothing.

    Raises:
        DatasetError: no case has the column, or an edge or a value is no number where one is needed.
    """
    column, _, edges_text = asked.partition(":")
    known = list(dict.fromkeys(name for case in cases for name in case.columns))
    if column not in known:
        raise DatasetError(f"There is no column '{column}'; the dataset has {', '.join(known) or 'none'}. Give a table with --table.")
    values = {case.name: case.columns.get(column, "") for case in cases}
    told = [value for value in values.values() if value]
    numbers = _numbers(told)
    if not edges_text and (numbers is None or len(set(numbers)) <= _MOST_VALUES):
        return column, values
    if numbers is None:
        raise DatasetError(f"The column '{column}' holds other things than numbers, so it has no bands; ask for '{column}' alone.")
    edges = _numbers(edges_text.split(",")) if edges_text else _thirds(cases, column)
    if edges is None:
        raise DatasetError(f"'{asked}' names bands by something else than numbers; expected for example '{column}:40,60'.")
    edges = sorted(set(edges))
    return column, {name: _band(float(value), edges) if value else "" for name, value in values.items()}


def _thirds(cases: Sequence[Case], column: str) -> list[float]:
    of_patients = {case.patient: float(case.columns[column]) for case in cases if case.columns.get(column)}
    return [float(f"{edge:.4g}") for edge in np.quantile(list(of_patients.values()), [1 / 3, 2 / 3])]


def _numbers(texts: Sequence[str]) -> list[float] | None:
    try:
        return [float(text) for text in texts]
    except ValueError:
        return None


def _band(value: float, edges: list[float]) -> str:
    if value < edges[0]:
        return f"below {edges[0]:g}"
    if value >= edges[-1]:
        return f"{edges[-1]:g} and more"
    place = int(np.searchsorted(edges, value, "right"))
    return f"{edges[place - 1]:g} to below {edges[place]:g}"
