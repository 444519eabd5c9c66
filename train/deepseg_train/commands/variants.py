"""`deepseg-train variants`."""

from __future__ import annotations

import argparse
from pathlib import Path

_KINDS = ("float16", "bfloat16", "int8", "onnx", "onnx-int8")


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("variants", help="make smaller and portable variants of a model, with their measured loss")
    parser.add_argument("model", help="name of an installed model, or a model's folder")
    parser.add_argument("--data", type=Path, required=True, help="dataset: a folder in MSD, nnU-Net or BIDS layout, or a CSV file")
    parser.add_argument("--split", type=Path, required=True, help="the split file it was trained with; measured on its part 'test'")
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=_KINDS, help="which to make (default: all)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make them and print the table; 1 where one of them was refused."""
    from deepseg import api
    from deepseg_train.data import open_dataset
    from deepseg_train.data.seen import Seen
    from deepseg_train.data.split import load_split
    from deepseg_train.variants.run import make_variants

    bundle = api.load_model(options.model)
    split = load_split(options.split, open_dataset(options.data).cases)
    for remark in Seen.by(bundle.spec).remarks(bundle.spec.id, split["test"]):
        print(f"Note: {remark}")
    outcome = make_variants(bundle, options.kinds, split["test"], split["train"], options.output)
    print(outcome.told)
    print(f"Written: {outcome.folder}")
    return 1 if outcome.refused else 0
