"""`deepseg-train plan`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from deepseg_train.commands.check import add_dataset


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("plan", help="propose a training config for a dataset, with the reasons, and draw a split")
    add_dataset(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="CONFIG", help="YAML file to make; the split goes beside it")
    stratified = "keep this column's values, or quarters of its numbers where these are many, as frequent in each part of the split as in all cases"
    parser.add_argument("--stratify", metavar="COLUMN", help=stratified)
    parser.add_argument("--seed", type=int, default=0, help="of the split (default: %(default)s)")
    parser.add_argument("--memory-gb", type=float, help="of the GPU to plan for (default: as much as nnU-Net plans for)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the plan, write config and split; cases kept for calibration and test are not looked at.

    Raises:
        DatasetError: one of the files exists, or the dataset has problems.
    """
    from tqdm import tqdm

    from deepseg.outputs import check_output
    from deepseg_train.data import open_dataset
    from deepseg_train.data.fingerprint import fingerprint
    from deepseg_train.data.plan import USUAL_MEMORY_GB, plan
    from deepseg_train.data.proposal import config_of, write_config
    from deepseg_train.data.split import FRACTIONS, draw_split, save_split
    from deepseg_train.errors import DatasetError

    split = options.output.with_name(f"{options.output.stem}_split.json")
    check_output(options.output, (".yaml", ".yml"))
    for path in (options.output, split):
        if path.exists():
            raise DatasetError(f"{path} exists already, and nothing is overwritten. Remove it or choose another name.")
    dataset = open_dataset(options.data, options.patient, options.table)
    for note in dataset.notes:
        print(f"Note: {note}")
    patient = options.patient
    if options.table and patient in dataset.columns:
        print(f"Note: the config does not name '{patient}', because a run reads no table beside the dataset; the split keeps patients whole.")
        patient = None
    parts = draw_split(dataset.cases, FRACTIONS, options.seed, options.stratify)
    # Whatever is decided by the test cases would no longer be tested on them.
    seen = replace(dataset, cases=(*parts["train"], *parts["validation"]))
    found = fingerprint(seen, lambda cases: tqdm(cases, desc="Reading", unit="case", delay=2, leave=False))
    proposed = plan(found, USUAL_MEMORY_GB if options.memory_gb is None else options.memory_gb, len(parts["train"]))
    print(f"{proposed.explain()}\n- Read for this: the {len(seen.cases)} cases to train on and to validate with.")
    how = "whole patients at random" + (f", '{options.stratify}' in proportion" if options.stratify else "")
    save_split(split, parts, how, options.seed, dataset.about)
    write_config(options.output, config_of(dataset, proposed, split.name, patient), proposed)
    print(f"\nWritten: {options.output} and {split} ({', '.join(f'{len(cases)} {part}' for part, cases in parts.items())} cases).")
