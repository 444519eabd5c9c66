"""`deepseg-train reproduce`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("reproduce", help="repeat a run from what its folder holds, and tell whether it comes out the same")
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--data", type=Path, required=True, help="the dataset it was trained on")
    parser.add_argument("-o", "--output", type=Path, help="folder for the repeated run (default: RUN-again)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Repeat; 1 where the weights differ."""
    from deepseg_train.training.reproduce import reproduce

    output = options.output or options.folder.with_name(f"{options.folder.name}-again")
    return 0 if reproduce(options.folder, options.data, output) else 1
