"""Rows of measures as a CSV file, and back."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from deepseg.outputs import write_whole
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.measures import MEASURES, VOLUMES


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """One line per case and label; a measure that is undefined has an empty cell. The file appears whole or not at all."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows({key: "" if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()} for row in rows)

    write_whole(path, write)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What `write_rows` wrote; a file without patients takes each case for a patient.

    Raises:
        DatasetError: not readable, without rows, without a column that is needed, or with a cell that is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"The table {path} cannot be read ({error}). Name a file that `deepseg-train evaluate --csv` wrote.") from error
    lacking = [name for name in ("case", "label", "dice") if not lines or name not in lines[0]]
    if lacking:
        raise DatasetError(f"The table {path} has no {', '.join(lacking)}; expected what `deepseg-train evaluate --csv` wrote.")
    try:
        rows = [
            {"case": line["case"], "patient": line.get("patient") or line["case"], "label": line["label"]}
            | {key: float(line[key] or "nan") for key in (*MEASURES, *VOLUMES) if key in line}
            for line in lines
        ]
    except (TypeError, ValueError) as error:
        raise DatasetError(f"The table {path} holds a cell that is no number ({error}).") from error
    keys = [(row["case"], row["label"]) for row in rows]
    if len(set(keys)) < len(keys):
        raise DatasetError(f"The table {path} has several lines for the same case and label.")
    return rows
