"""Tables of cases: CSV and TSV, as text by column."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deepseg_train.data.cases import Case
from deepseg_train.errors import DatasetError

KEYS = ("name", "participant_id")
"""Columns that tell whose row it is: a case's name, or its patient as BIDS writes it."""

TABLE_SUFFIXES = (".csv", ".tsv")


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a table by column. Columns are separated by tabs in .tsv, by commas or, where the head has none, semicolons in .csv; 'n/a' becomes ''.

    Raises:
        DatasetError: not readable, a column's name is missing or used twice, or a row has more or fewer cells than there are columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            rows = list(csv.reader(file, delimiter=_separator(path, head)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"The table {path} cannot be read: {error}") from error
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise DatasetError(f"The table {path} is empty; expected a line with the columns' names and a line for each case.")
    columns = rows[0]
    odd = [name or "(no name)" for name, count in Counter(columns).items() if count > 1 or not name]
    if odd:
        raise DatasetError(f"The table {path} has unnamed or duplicate columns: {', '.join(odd)}. Give each column its own name.")
    odd = [f"row {number} has {len(row)} cells" for number, row in enumerate(rows[1:], 2) if len(row) != len(columns)]
    if odd:
        raise DatasetError(f"The table {path} has {len(columns)} columns ({', '.join(columns)}), but {', '.join(odd[:20])}. Give each row as many.")
    return [{column: "" if cell == "n/a" else cell for column, cell in zip(columns, row, strict=True)} for row in rows[1:]]


def _separator(path: Path, head: str) -> str:
    """Where the comma is the decimal point, spreadsheets write semicolons."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return ";" if ";" in head and "," not in head else ","


def add_columns(cases: Sequence[Case], table: Path, keys: tuple[str, ...] = KEYS) -> tuple[Case, ...]:
    """The cases with a table's columns, whose rows are told by the first of `keys` that it has: the case's 'name' or its patient's 'participant_id'.

    Raises:
        DatasetError: it has neither key, a key twice, or no row for some case.
    """
    rows = read_table(table)
    key = next((name for name in keys if rows and name in rows[0]), None)
    if key is None:
        raise DatasetError(f"The table {table} has no row, or no column that tells which case a row is of; expected the column {' or '.join(keys)}.")
    counts = Counter(row[key] for row in rows)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DatasetError(f"The table {table} has more than one row for {', '.join(twice[:10])}.")
    by_key = {row[key]: {column: cell for column, cell in row.items() if column != key} for row in rows}
    found = [by_key.get(case.name if key == "name" else case.patient) for case in cases]
    lacking = [case.name for case, row in zip(cases, found, strict=True) if row is None]
    if lacking:
        raise DatasetError(f"The table {table} has no row for {len(lacking)} of {len(cases)} cases: {', '.join(lacking[:10])}.")
    return tuple(replace(case, columns={**case.columns, **row}) for case, row in zip(cases, found, strict=True))
