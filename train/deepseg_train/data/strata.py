"""Strata of patients: who is alike in a column, so that each part of a split has them in proportion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from deepseg_train.data.cases import Case
from deepseg_train.errors import DatasetError

_LEAST_PATIENTS = 4
"""Of a value on average: of fewer, four parts cannot have one each. Numbers that are rarer, such as ages, are cut into as many bands."""


def strata_of(by_patient: Mapping[str, Sequence[Case]], column: str) -> dict[str, str]:
    """The stratum of each patient: the value of a column, or the quarter that it is in where nearly each patient has a number of their own.

    Patients with several values make up a stratum of their own; in quarters they are by the mean.

    Raises:
        DatasetError: a case lacks the column's value.
    """
    values = {patient: value_of(cases, column) for patient, cases in by_patient.items()}
    if len(set(values.values())) * _LEAST_PATIENTS <= len(values):
        return values
    numbers = {patient: _number(cases, column) for patient, cases in by_patient.items()}
    if not all(map(math.isfinite, numbers.values())):
        return values
    edges = np.quantile(list(numbers.values()), np.arange(1, _LEAST_PATIENTS) / _LEAST_PATIENTS)
    return {patient: str(np.searchsorted(edges, number, "right")) for patient, number in numbers.items()}


def value_of(cases: Sequence[Case], column: str) -> str:
    """What a column says of one patient's cases; several values are joined.

    Raises:
        DatasetError: it says nothing of one.
    """
    silent = [case.name for case in cases if not case.columns.get(column)]
    if silent:
        known = ", ".join(cases[0].columns) or "none"
        raise DatasetError(f"The case {silent[0]} has no value in the column '{column}' (its columns: {known}). Fill it in, or choose another one.")
    values = {case.columns[column] for case in cases}
    return " + ".join(sorted(values))


def _number(cases: Sequence[Case], column: str) -> float:
    """The mean over a patient's cases; NaN where a value is no number."""
    try:
        return float(np.mean([float(case.columns[column]) for case in cases]))
    except ValueError:
        return math.nan
