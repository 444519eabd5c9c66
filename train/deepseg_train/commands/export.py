"""`deepseg-train export`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("export", help="write a run's best weights as a model, with its figures on the test cases")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run; several that differ in their seed make an ensemble")
    parser.add_argument("--data", type=Path, required=True, help="dataset: a folder in MSD, nnU-Net or BIDS layout, or a CSV file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="model folder to make")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Export."""
    from deepseg_train.export import export

    bundle = export(options.runs, options.data, options.output)
    print(f"Written: {bundle.folder}. Try it: deepseg info {bundle.folder}")
