"""A batch's table: one row per segment, one per case that failed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from deepseg.cohort.record import FINISHED, Record, result_path
from deepseg.outputs import write_whole

TABLE = "segments.csv"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("case", "input", "segment", "value", "voxels", "volume_ml", "flags", "notes", "seconds", "error", "result")


def write_table(out: Path, records: Iterable[Record]) -> None:
    """Write `segments.csv`; it appears whole or not at all.

    It is made for spreadsheets: in UTF-8 with a mark at its begin, and with an apostrophe before a text that would be a formula.

    Raises:
        OutputError: it cannot be written, for example because a spreadsheet holds it open.
    """
    rows = [{name: _inert(cell) for name, cell in row.items()} for record in records for row in _rows_of(out, record)]

    def write(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(rows)

    write_whole(out / TABLE, write)


def _rows_of(out: Path, record: Record) -> list[dict[str, object]]:
    common = {"case": record.case, "input": "; ".join(record.inputs), "notes": " ".join(record.notes), "seconds": record.seconds}
    if record.status != FINISHED:
        return [{**common, "error": record.error or "not finished"}]
    name = result_path(out, record.case).name
    return [{**common, **row, "flags": "; ".join(row["flags"]), "result": name} for row in record.rows]


def _inert(cell: object) -> object:
    """Labels and file names come from others; none may run as a formula in the spreadsheet of whoever opens the table."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
