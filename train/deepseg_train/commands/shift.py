"""`deepseg-train shift`: whether images of two datasets, or of a dataset's sites, come from one distribution."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deepseg_train.errors import DatasetError

if TYPE_CHECKING:
    from deepseg_train.data import Case


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("shift", help="test whether the images of two datasets or sites differ, and in what")
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA", help="two datasets; or one, with --column")
    parser.add_argument("--column", help="of one dataset: compare each group of cases with all others, for example site")
    parser.add_argument("--patient", help="whose a case is: a column, or a regular expression with one group (default: as the layout tells)")
    parser.add_argument("--table", type=Path, help="CSV or TSV with columns to add, keyed by 'name' or 'participant_id'")
    parser.add_argument("--model", help="compare what this model's network makes of the images, not the images' own figures")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the tests and what differs most."""
    from deepseg import api
    from deepseg_train.evaluation.image_features import image_features, model_features
    from deepseg_train.evaluation.shift_table import shift_table

    pairs = _pairs(options)
    bundle = api.load_model(options.model) if options.model else None
    cases = list({case.images: case for _, first, second in pairs for case in (*first, *second)}.values())
    features, names = model_features(cases, bundle) if bundle else image_features(cases)
    of = {case.images: vector for case, vector in zip(cases, features, strict=True)}
    compared = [
        (title, [of[c.images] for c in first], [of[c.images] for c in second], ([c.patient for c in first], [c.patient for c in second]))
        for title, first, second in pairs
    ]
    print(shift_table(compared, names))


def _pairs(options: argparse.Namespace) -> list[tuple[str, list[Case], list[Case]]]:
    """What is compared: a title, the cases of the first set, and those of the second."""
    from deepseg_train.data import open_dataset
    from deepseg_train.evaluation.grouping import groups_by

    if len(options.data) != (1 if options.column else 2):
        raise DatasetError(f"{len(options.data)} datasets given; expected two, or one with --column.")
    if not options.column:
        if options.table:
            raise DatasetError(
                "--table adds columns to one dataset, to compare its cases by --column; two datasets are compared as a whole. Leave --table out, or "
                "name one dataset and --column."
            )
        first, second = (list(open_dataset(path, options.patient).cases) for path in options.data)
        return [(f"{options.data[0]} against {options.data[1]}", first, second)]
    cases = list(open_dataset(options.data[0], options.patient, options.table).cases)
    column, group = groups_by(cases, options.column)
    names = sorted(set(group.values()) - {""})
    if len(names) < 2:
        raise DatasetError(f"All cases have the same value of '{column}' ({', '.join(names) or 'none'}); expected at least two.")
    told = [case for case in cases if group[case.name]]
    # Two groups make one pair; of more, each is compared with all others.
    shown = names[:1] if len(names) == 2 else names
    title = "{} against " + (names[1] if len(names) == 2 else "all others")
    return [(title.format(name), [c for c in told if group[c.name] == name], [c for c in told if group[c.name] != name]) for name in shown]
