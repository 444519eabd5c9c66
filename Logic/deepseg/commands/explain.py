"""`deepseg explain`: what in an image made the model answer as it did, as a map, and the tests of that map."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from deepseg import api
from deepseg.commands.devices import add_device
from deepseg.commands.progress_bar import ProgressBar
from deepseg.commands.results import written
from deepseg.outputs import beside, write_whole

METHODS = tuple(method.key for method in api.explanation_methods())
_MAPS, _CHECKS = (".nii.gz", ".nii", ".nrrd", ".mha"), "-checks.csv"


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("explain", help="say what in an image made the model answer as it did")
    parser.add_argument("images", metavar="IN", type=Path, nargs="+", help="as for `deepseg segment`")
    parser.add_argument("-m", "--model", required=True, help="name of an installed model, or a model's folder")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help=f"map to make; ends in {', '.join(_MAPS)}")
    parser.add_argument("--label", help="segment to ask about, by name or value (default: what the model says at --at, or of --doubt all)")
    parser.add_argument("--against", metavar="LABEL", help="why not that label; 0 is the background")
    parser.add_argument("--at", nargs=3, type=float, metavar=("R", "A", "S"), help="ask about one voxel: its position, RAS in mm")
    parser.add_argument(
        "--box", nargs=6, type=float, metavar=("R0", "A0", "S0", "R1", "A1", "S1"), help="ask about a box: two opposite corners, RAS in mm"
    )
    parser.add_argument("--doubt", action="store_true", help="ask what makes the model unsure instead")
    parser.add_argument("--method", choices=METHODS, metavar="METHOD", help=f"one of {', '.join(METHODS)} (default: the usual one)")
    parser.add_argument("--layer", help="the network's layer that CAM methods look at (default: the usual one)")
    parser.add_argument(
        "--roi", nargs=6, type=float, metavar=("R0", "A0", "S0", "R1", "A1", "S1"), help="box that is looked at, as for `deepseg segment`"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of whatever is drawn (default: 0)")
    add_device(parser)
    parser.add_argument("--no-checks", action="store_true", help="do not test the map; nobody knows then whether it can be believed")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    api.check_output(options.output, _MAPS)
    if options.at and options.box:
        raise api.ExplanationError("--at and --box name two places; leave one out.")
    bundle = api.load_model(options.model)
    volume, notes = api.read_inputs(options.images, bundle.spec, False)
    for finding in api.unusual(volume, bundle, _box(options.roi)):
        print(f"Unlike the training images: {finding.told}")
    with ProgressBar() as bar:
        result = api.explain(
            volume,
            bundle,
            _label(options.label),
            _box(options.roi),
            bar.show,
            against=_label(options.against),
            place=tuple(options.at) if options.at else _box(options.box),
            doubt=options.doubt,
            method=options.method,
            layer=options.layer,
            seed=options.seed,
            checks=not options.no_checks,
            device=options.device,
        )
    earlier = api.set_aside(options.output, (_CHECKS,))
    api.write_volume(result.volume(), options.output, result.provenance)
    tables = [beside(options.output, _CHECKS)] if result.checks else []
    for path in tables:
        _write_checks(result, path)
    for note in (*notes, *result.notes):
        print(f"Note: {note}")
    print(f"{result.question} By {result.title}{f' at {result.layer}' if result.layer else ''}.")
    for check in result.checks:
        print(f"  {'passed' if check.passed else 'FAILED'}: {check.told}")
    if result.failed:
        print(f"Do not believe this map: it failed {len(result.failed)} of {len(result.checks)} tests. Try another method.")
    if not result.checks:
        print("This map was not tested.")
    print(written(options.output, earlier, *tables))


def _write_checks(result: api.Explanation, path: Path) -> None:
    def write(to: Path) -> None:
        with to.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(["test", "value", "limit", "passed", "share", "certainty"])
            for check in result.checks:
                row = [check.name, f"{check.value:.4g}", "" if check.limit is None else f"{check.limit:.4g}", "yes" if check.passed else "no"]
                writer.writerows([[*row, share, f"{height:.4g}"] for share, height in check.curve] or [[*row, "", ""]])

    write_whole(path, write)


def _label(text: str | None) -> str | int | None:
    return int(text) if text is not None and text.isdecimal() else text


def _box(numbers: list[float] | None) -> api.Box | None:
    if numbers is None:
        return None
    low, high = zip(*(sorted(pair) for pair in zip(numbers[:3], numbers[3:], strict=True)), strict=True)
    return api.Box(low, high)
