"""`deepseg-train compare`: models against each other, from what `evaluate --csv` wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

from deepseg_train.errors import DatasetError


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("compare", help="compare models on the same cases: differences with intervals, paired tests corrected by Holm")
    parser.add_argument("tables", metavar="ROWS.csv", type=Path, nargs="+", help="of `evaluate --csv`; each model is compared with the first")
    parser.add_argument("--names", nargs="+", help="of the models, in the tables' order (default: the files' names)")
    parser.add_argument("--measures", nargs="+", help="to test, columns of the tables (default: dice hd95_mm surface_dice_1mm)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the paired table."""
    from deepseg_train.evaluation.alignment import aligned, labels_of
    from deepseg_train.evaluation.comparison import USUAL_MEASURES, comparison_table, paired_lines

    models = named_rows(options.tables, options.names)
    measures = options.measures or USUAL_MEASURES
    (first, rows), *others = models.items()
    for note in aligned(first, {row["case"] for row in rows}, labels_of(rows), dict(others))[1]:
        print(f"Note: {note}")
    print(comparison_table(first, paired_lines(models, measures)))


def named_rows(tables: list[Path], names: list[str] | None = None) -> dict[str, list[dict]]:
    """Rows by the model's name: as given, else the file's name.

    Raises:
        DatasetError: a table cannot be read, or names are too few, too many or used twice.
    """
    from deepseg_train.evaluation.rows import read_rows

    chosen = names or [path.stem for path in tables]
    if len(chosen) != len(tables) or len(set(chosen)) < len(chosen):
        raise DatasetError(
            f"The {len(tables)} tables need as many different names; got {', '.join(chosen)}. Rename a file, or pass "
            "--names to `deepseg-train compare`."
        )
    return {name: read_rows(path) for name, path in zip(chosen, tables, strict=True)}
