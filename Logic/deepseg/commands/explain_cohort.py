"""`deepseg explain-cohort`: what matters for a label over many images, as a table."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from deepseg import api
from deepseg.cohort.cases import find_cases
from deepseg.commands.progress_bar import ProgressBar
from deepseg.commands.results import written
from deepseg.outputs import write_whole
from deepseg.progress import Tracker


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("explain-cohort", help="say what matters for a label over many images")
    parser.add_argument("inputs", metavar="IN", nargs="+", help="as for `deepseg batch`")
    parser.add_argument("-m", "--model", required=True, help="name of an installed model, or a model's folder")
    parser.add_argument("--label", required=True, help="segment to ask about, by name or value")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="table to make; ends in .csv")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    api.check_output(options.output, (".csv",))
    bundle = api.load_model(options.model)
    cases = find_cases(options.inputs, options.output.parent / f".{options.output.name}", bundle.spec, {})
    label = int(options.label) if options.label.isdecimal() else options.label
    volumes = (api.read_inputs(case.inputs, bundle.spec, False)[0] for case in cases)
    with ProgressBar() as bar:
        step, done = Tracker(bar.show).steps("explaining", 0.0, 1.0), [0]

        def one_more() -> None:
            done[0] += 1
            step(done[0], len(cases))

        result = api.explain_cohort(volumes, bundle, label, one_more)
    earlier = api.set_aside(options.output)
    _write(result, options.output)
    print(f"What matters for {result.label} in {result.cases} of {len(cases)} images, by integrated gradients; 95 % bootstrap interval:")
    for share in result.shares:
        between = f"{100 * share.low:.1f}-{100 * share.high:.1f}"
        print(f"  {share.kind} {share.name}: {100 * share.mean:.1f} % ({between}), {share.density:.1f} times as dense as on average")
    sees, looks = (" x ".join(f"{mm:.0f}" for mm in extent) for extent in (result.field.theoretical_mm, result.field.effective_mm))
    print(f"Around a voxel in its middle the model can see {sees} mm and does look at {looks} mm (95 % of the gradient).")
    print(written(options.output, earlier))


def _write(result: object, path: Path) -> None:
    def write(to: Path) -> None:
        with to.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(["kind", "name", "share", "low", "high", "density"])
            writer.writerows(
                [share.kind, share.name, *(f"{x:.4g}" for x in (share.mean, share.low, share.high, share.density))] for share in result.shares
            )

    write_whole(path, write)
