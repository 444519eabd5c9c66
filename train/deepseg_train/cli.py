"""The command `deepseg-train`: fit, evaluate, calibrate, export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deepseg import api

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 2 for whatever the user can mend."""
    options = _parser().parse_args(arguments)
    try:
        options.run_command(options)
    except api.DeepSegError as error:
        print(f"deepseg-train: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("deepseg-train: stopped; the same command goes on from the last epoch.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("deepseg-train", description="Train, evaluate and export models for DeepSeg.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fit = commands.add_parser("fit", help="train, or go on with a run that was stopped")
    fit.add_argument("--config", type=Path, required=True, help="YAML file, for example train/configs/hippocampus.yaml")
    fit.add_argument("--data", type=Path, required=True, help="folder in the layout of the Medical Segmentation Decathlon")
    fit.add_argument("--run", type=Path, help="folder for checkpoints and logs (default: runs/<name of the config>)")
    fit.set_defaults(run_command=_fit)

    evaluate = commands.add_parser("evaluate", help="compare a model's segments with reference labels")
    evaluate.add_argument("model", help="name of an installed model, or a model's folder")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--split", type=Path, help="split file; without it all cases are used")
    evaluate.add_argument("--parts", nargs="+", default=["test"], help="parts of the split (default: test)")
    evaluate.add_argument("--csv", type=Path, help="also write a line per case and label here")
    evaluate.set_defaults(run_command=_evaluate)

    calibrate = commands.add_parser("calibrate", help="learn from held-out cases how far a model's answers can be trusted")
    calibrate.add_argument("model", help="name of an installed model, or a model's folder")
    calibrate.add_argument("--data", type=Path, required=True, help="folder in the layout of the Medical Segmentation Decathlon")
    calibrate.add_argument("--split", type=Path, required=True, help="the split file it was trained with")
    calibrate.add_argument(
        "--ways",
        nargs="+",
        default=["single-pass", "deep-supervision", "augmentation:2"],
        help="as SAMPLER or SAMPLER:SAMPLES (default: %(default)s)",
    )
    calibrate.add_argument(
        "--group", nargs="+", action="append", default=[], metavar=("NAME", "LABEL"), help="labels that make up one organ; may be given several times"
    )
    calibrate.add_argument("-o", "--output", type=Path, required=True, help="model folder to make")
    calibrate.set_defaults(run_command=_calibrate)

    export = commands.add_parser("export", help="write a run's best weights as a model, with its figures on the test cases")
    export.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run; several that differ in their seed make an ensemble")
    export.add_argument("--data", type=Path, required=True)
    export.add_argument("-o", "--output", type=Path, required=True, help="model folder to make")
    export.set_defaults(run_command=_export)
    return parser


def _fit(options: argparse.Namespace) -> None:
    from deepseg_train.fit import fit

    fit(options.config, options.data, options.run or Path("runs") / options.config.stem)


def _evaluate(options: argparse.Namespace) -> None:
    from deepseg_train.dataset import find_cases
    from deepseg_train.errors import DatasetError
    from deepseg_train.evaluate import evaluate_cases, summarise, table, write_rows
    from deepseg_train.split import PARTS, load_split

    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        raise DatasetError(f"There is no part {', '.join(unknown)}; the parts of a split are {', '.join(PARTS)}.")
    if options.csv:
        api.check_output(options.csv, (".csv",))
    bundle = api.load_model(options.model)
    cases = find_cases(options.data)
    if options.split:
        parts = load_split(options.split, cases)
        cases = [case for part in options.parts for case in parts[part]]
    if not cases:
        raise DatasetError(f"There is no case to evaluate in {options.data}" + (f", parts {', '.join(options.parts)}." if options.split else "."))
    rows = evaluate_cases(bundle, cases)
    summary = summarise(rows)
    print(table(summary))
    print(f"\n{summary['cases']} cases; mean and {summary['interval']}.")
    if options.csv:
        write_rows(rows, options.csv)
        print(f"Written: {options.csv}")


def _calibrate(options: argparse.Namespace) -> None:
    from deepseg.bundle_writer import refuse_existing
    from deepseg.uncertainty.calibration import load_calibration
    from deepseg_train.calibration.request import groups_of, ways_of
    from deepseg_train.calibration.run import calibrate
    from deepseg_train.calibration.tables import told
    from deepseg_train.dataset import find_cases
    from deepseg_train.split import load_split

    refuse_existing(options.output)
    bundle = api.load_model(options.model)
    ways, groups = ways_of(options.ways, bundle), groups_of(options.group, bundle.spec)
    split = load_split(options.split, find_cases(options.data))
    made = calibrate(bundle, options.data, split, ways, groups, options.output)
    print(told(load_calibration(made)))
    print(f"Written: {made.folder}")


def _export(options: argparse.Namespace) -> None:
    from deepseg_train.export import export

    bundle = export(options.runs, options.data, options.output)
    print(f"Written: {bundle.folder}. Try it: deepseg info {bundle.folder}")


if __name__ == "__main__":
    sys.exit(main())
