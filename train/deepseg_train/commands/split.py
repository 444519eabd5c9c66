"""`deepseg-train split`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from deepseg_train.commands.check import add_dataset


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("split", help="draw splits of a dataset by whole patients: one, folds, or one for each site")
    add_dataset(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder to write the split files to")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--folds", type=int, metavar="K", help="K splits, each patient in the test part of one")
    kind.add_argument("--leave-out", metavar="COLUMN", help="a split for each value of a column, whose cases are its test part")
    kind.add_argument(
        "--fractions", nargs=4, type=float, metavar=("TRAIN", "VALIDATION", "CALIBRATE", "TEST"), help="one split, for example 0.64 0.06 0.15 0.15"
    )
    stratified = "keep this column's values, or quarters of its numbers where these are many, as frequent in each part as in all cases"
    parser.add_argument("--stratify", metavar="COLUMN", help=stratified)
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the split files.

    Raises:
        DatasetError: the dataset cannot be divided so, or a file exists.
    """
    from deepseg_train.data import open_dataset
    from deepseg_train.data.split import PARTS, draw_split, k_folds, leave_one_site_out, save_split
    from deepseg_train.errors import DatasetError

    dataset = open_dataset(options.data, options.patient, options.table)
    if options.folds is not None:
        how, drawn = f"fold of {options.folds}, whole patients", k_folds(dataset.cases, options.folds, options.seed, options.stratify)
    elif options.leave_out is not None:
        if options.stratify:
            raise DatasetError("--leave-out keeps the other sites in proportion already; leave --stratify out.")
        how, drawn = f"'{options.leave_out}' left out", leave_one_site_out(dataset.cases, options.leave_out, options.seed)
    else:
        fractions = dict(zip(PARTS, options.fractions, strict=True))
        how, drawn = "whole patients at random", [("split", draw_split(dataset.cases, fractions, options.seed, options.stratify))]
    # All are drawn before the first is written.
    named = dict(drawn)
    splits = {options.output / f"{file}.json": (name, named[name]) for name, file in file_names(named).items()}
    present = [str(path) for path in splits if path.exists()]
    if present:
        raise DatasetError(f"{', '.join(present)} exist already, and a split is never overwritten. Name another folder.")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"The folder {options.output} cannot be made: {error.strerror}.") from error
    strata = f", '{options.stratify}' in proportion" if options.stratify else ""
    for path, (name, parts) in splits.items():
        save_split(path, parts, f"{how} ({name}){strata}", options.seed, dataset.about)
        print(f"Written: {path} ({', '.join(f'{len(cases)} {part}' for part, cases in parts.items())} cases)")


def file_names(sites: Iterable[str]) -> dict[str, str]:
    """Folds' or sites' names with nothing that a file's name may not have; numbered where two would be one, in large or small letters."""
    found: dict[str, str] = {}
    for site in sites:
        plain = name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in site)
        number = 1
        while name.casefold() in {other.casefold() for other in found.values()}:
            number += 1
            name = f"{plain}-{number}"
        found[site] = name
    return found
