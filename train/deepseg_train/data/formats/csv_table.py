"""A table with a row for each case: where its files lie, and whatever else is known of it."""

from __future__ import annotations

from pathlib import Path

from deepseg_train.data.cases import Case, Dataset
from deepseg_train.data.problems import Problem
from deepseg_train.data.tables import TABLE_SUFFIXES, read_table
from deepseg_train.errors import DatasetError


def is_table(path: Path) -> bool:
    """Whether a path is a CSV or TSV file."""
    return path.is_file() and path.suffix.lower() in TABLE_SUFFIXES


def open_table(path: Path) -> Dataset:
    """The cases of a table's rows.

    Columns: 'image' (or 'image_0', 'image_1', ... for several channels) and 'label', paths relative to the table; 'name' (left out: the first
    image's file name without endings) and 'patient' (left out: the name); any other column stays with its case. Label names are left to the model.
    Rows in which a cell of these is empty are told as problems; without an image or a label file they are no cases.

    Raises:
        DatasetError: the table cannot be read, lacks these columns or has none but its head.
    """
    rows = read_table(path)
    if not rows:
        raise DatasetError(f"The table {path} has no row below the columns' names.")
    images = _image_columns(list(rows[0]), path)
    told = {*images, "label", "name", "patient"}
    cases, problems = [], []
    for number, row in enumerate(rows, 2):
        empty = [column for column in (*images, "label", "name", "patient") if row.get(column) == ""]
        if empty:
            problems.append(Problem(path, f"row {number} has nothing in the column {', '.join(empty)}", "Fill it in, or remove the row."))
        if any(not row[column] for column in (*images, "label")):
            continue
        files = tuple(path.parent / row[column] for column in images)
        name = row.get("name") or files[0].name.split(".")[0]
        rest = {column: cell for column, cell in row.items() if column not in told}
        cases.append(Case(name, row.get("patient") or name, files, path.parent / row["label"], rest))
    channels = ("image",) if len(images) == 1 else tuple(images)
    return Dataset(path.parent, "csv", path.stem, "", "", channels, {}, tuple(cases), problems=tuple(problems))


def _image_columns(columns: list[str], path: Path) -> list[str]:
    numbered = [f"image_{number}" for number in range(sum(column.startswith("image_") for column in columns))]
    images = ["image"] if "image" in columns else [column for column in numbered if column in columns]
    if not images or "label" not in columns or (numbered and images != numbered):
        raise DatasetError(
            f"The table {path} has the columns {', '.join(columns)}; expected 'image' (or 'image_0', 'image_1', ... without a gap) and 'label'."
        )
    return images
