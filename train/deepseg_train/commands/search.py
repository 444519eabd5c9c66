"""`deepseg-train search`."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("search", help="try values of a config for the best validation Dice, or go on with a search that was stopped")
    parser.add_argument("--folder", type=Path, required=True, help="for the search; each trial is a run folder in it, and its name is the search's")
    parser.add_argument("--config", type=Path, help="YAML file with everything that is not searched")
    parser.add_argument("--space", type=Path, help="YAML file of ranges by place: optimizer.learning_rate: {low: 0.0001, high: 0.01, log: true}")
    parser.add_argument("--data", type=Path, help="dataset: a folder in MSD, nnU-Net or BIDS layout, or a CSV file")
    parser.add_argument("--trials", type=int, help="how many, of all machines together (default: until it is stopped, or the whole grid)")
    parser.add_argument("--minutes", type=float, help="after which no further trial begins")
    parser.add_argument("--sampler", choices=("tpe", "random", "grid"), default="tpe", help="how values are chosen (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampler (default: %(default)s)")
    parser.add_argument("--pruner", choices=("median", "none"), default="median", help="what stops a trial that is behind (default: %(default)s)")
    parser.add_argument("--storage", help="for several machines: a database's URL, or a journal file that all see (default: a journal in the folder)")
    parser.add_argument("--show", action="store_true", help="train nothing; tell what was found so far")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Search, and tell what was found."""
    from deepseg_train.errors import ConfigError

    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("A search needs Optuna, which is not installed. In the repository: pip install -c constraints.txt './train[search]'.")
    from deepseg_train.search.folder import SearchSettings, find_search
    from deepseg_train.search.report import failed_alone, report
    from deepseg_train.search.run import search

    if options.show:
        found = find_search(options.folder, options.storage)
    else:
        for name in ("config", "space", "data"):
            if getattr(options, name) is None:
                raise ConfigError(f"A search needs --{name}; --show alone goes without.")
        settings = SearchSettings(options.sampler, options.seed, options.pruner)
        where = (options.config, options.space, options.data, options.folder)
        found = search(*where, settings, options.storage, options.trials, options.minutes)
    print(report(found))
    if not options.show and failed_alone(found):
        raise ConfigError("No trial could be trained to its end; the table above tells why. Correct the config or the ranges, and name a new folder.")
