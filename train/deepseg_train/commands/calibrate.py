"""`deepseg-train calibrate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deepseg_train.errors import DatasetError

if TYPE_CHECKING:
    from deepseg import api
    from deepseg_train.data.split import Parts


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("calibrate", help="learn from held-out cases how far a model's answers can be trusted")
    parser.add_argument("model", help="name of an installed model, or a model's folder")
    parser.add_argument("--data", type=Path, required=True, help="dataset: a folder in MSD, nnU-Net or BIDS layout, or a CSV file")
    parser.add_argument("--split", type=Path, required=True, help="the split file it was trained with")
    parser.add_argument(
        "--samplers",
        nargs="+",
        default=["single-pass", "deep-supervision", "augmentation:2"],
        help="as SAMPLER or SAMPLER:SAMPLES (default: %(default)s)",
    )
    parser.add_argument(
        "--group", nargs="+", action="append", default=[], metavar=("NAME", "LABEL"), help="labels that make up one organ; may be given several times"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="model folder to make")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Calibrate."""
    from deepseg import api
    from deepseg.bundle_writer import refuse_existing
    from deepseg.uncertainty.calibration import load_calibration
    from deepseg_train.calibration.request import groups_of, samplers_of
    from deepseg_train.calibration.run import calibrate
    from deepseg_train.calibration.tables import told
    from deepseg_train.data import open_dataset
    from deepseg_train.data.split import load_split

    refuse_existing(options.output)
    bundle = api.load_model(options.model)
    samplers, groups = samplers_of(options.samplers, bundle), groups_of(options.group, bundle.spec)
    dataset = open_dataset(options.data)
    split = load_split(options.split, dataset.cases)
    _refuse_seen(bundle, split)
    made = calibrate(bundle, dataset.about, split, samplers, groups, options.output)
    print(told(load_calibration(made)))
    print(f"Written: {made.folder}")


def _refuse_seen(bundle: api.ModelBundle, split: Parts) -> None:
    """Guarantees learned from training images do not hold for others."""
    from deepseg_train.data.seen import Seen

    seen = Seen.by(bundle.spec)
    for part in ("calibrate", "test"):
        remark = seen.remark(bundle.spec.id, split[part])
        if remark:
            raise DatasetError(f"The part {part} of the split is not new to the model: {remark} Use the split that it was trained with.")
    if seen.doubt:
        print(f"Note: {seen.doubt}")
