"""`deepseg-train fit`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("fit", help="train, or go on with a run that was stopped")
    parser.add_argument("--config", type=Path, required=True, help="YAML file, as `deepseg-train plan` writes it")
    parser.add_argument("--data", type=Path, required=True, help="dataset: a folder in MSD, nnU-Net or BIDS layout, or a CSV file")
    parser.add_argument("-o", "--output", type=Path, help="folder for checkpoints and logs (default: runs/<name of the config>)")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="PLACE=VALUE", help="of the config: optimizer.learning_rate=0.01")
    parser.add_argument("--processes", type=int, default=1, help="that share each batch on this machine, one a GPU (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Train."""
    from deepseg_train.config.reading import read_settings
    from deepseg_train.training.fit import fit
    from deepseg_train.training.processes import world_and_rank

    folder = options.output or Path("runs") / options.config.stem
    fit(options.config, options.data, folder, read_settings(options.set), options.processes)
    if world_and_rank(options.processes)[1] == 0:
        print(f"Next: deepseg-train export {folder} --data {options.data} -o MODEL", flush=True)
