"""`deepseg-train check`."""

from __future__ import annotations

import argparse
from pathlib import Path

BAD_DATA = 2


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("check", help="find everything that is wrong with a dataset")
    add_dataset(parser)
    parser.add_argument("--model", help="name or folder of a model that the data shall fit")
    parser.set_defaults(run=run)


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Declare what `deepseg_train.data.open_dataset` takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="dataset: a folder in MSD, nnU-Net or BIDS layout, or a CSV file")
    parser.add_argument("--patient", help="whose a case is: a column, or a regular expression with one group for the case's name")
    parser.add_argument("--table", type=Path, help="CSV or TSV file with columns to add, keyed by 'name' or 'participant_id'")


def run(options: argparse.Namespace) -> int:
    """Print all problems, one a line; 2 where there are any that matter."""
    from tqdm import tqdm

    from deepseg import api
    from deepseg_train.data import open_dataset
    from deepseg_train.data.check import check_dataset

    spec = api.load_model(options.model).spec if options.model else None
    dataset = open_dataset(options.data, options.patient, options.table, complete=False)
    for note in dataset.notes:
        print(f"Note: {note}")
    problems = check_dataset(dataset, spec, lambda cases: tqdm(cases, desc="Checking", unit="case", delay=2, leave=False))
    for problem in problems:
        print(problem)
    problems = [problem for problem in problems if not problem.harmless]
    patients = len({case.patient for case in dataset.cases})
    found = f"{len(problems) or 'no'} problem{'s' * (len(problems) > 1)}"
    print(f"{dataset.format.upper()} dataset, {len(dataset.cases)} cases of {patients} patients: {found} found.")
    return BAD_DATA if problems else 0
