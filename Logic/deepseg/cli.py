"""The command `deepseg`: segment an image, list the models, tell about one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import SimpleITK as sitk

from deepseg import __version__, api

BAD_INPUT = 2
"""Exit code for whatever the user can mend; the sentence on standard error says how."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    # ITK prints C++ warnings about files that are then refused with a sentence of our own.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        options.run(options)
    except api.DeepSegError as error:
        print(f"deepseg: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("deepseg: stopped; nothing was written.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("deepseg", description="Segment medical volumes. For research, not for clinical use.")
    parser.add_argument("--version", action="version", version=f"deepseg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    segment = commands.add_parser("segment", help="segment one image")
    segment.add_argument("image", metavar="IN", type=Path, help="NIfTI, NRRD or MetaImage file, or a folder with one DICOM series")
    segment.add_argument("-m", "--model", required=True, help="name of an installed model, or a model's folder")
    segment.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help="ends in .seg.nrrd (opens in Slicer with names and colours), .nii.gz, ..."
    )
    segment.add_argument(
        "--roi", nargs=6, type=float, metavar=("R0", "A0", "S0", "R1", "A1", "S1"), help="box to look at: two opposite corners, RAS in mm"
    )
    segment.set_defaults(run=_segment)

    models = commands.add_parser("models", help="list the installed models")
    models.set_defaults(run=_models)

    info = commands.add_parser("info", help="tell about a model")
    info.add_argument("model", metavar="MODEL", help="name of an installed model, or a model's folder")
    info.set_defaults(run=_info)
    return parser


def _segment(options: argparse.Namespace) -> None:
    roi = _box(options.roi) if options.roi else None
    api.check_output(options.output)
    if options.output.exists() and options.image.exists() and options.output.samefile(options.image):
        raise api.OutputError(f"{options.output} is the image itself; its voxels would be lost. Name another output file.")
    bundle = api.load_model(options.model)
    volume = api.read_volume(options.image)
    if roi:
        volume.geometry.slices_of(roi)  # a box without voxels is refused before the progress bar starts
    with ProgressBar() as bar:
        prediction = api.segment(volume, bundle, roi, bar.show)
    api.write_label_map(prediction.labels, options.output)
    for label, milliliters in prediction.volumes_ml():
        print(f"{label.name}: {milliliters:.2f} mL")
    print(f"Written: {options.output}")


def _box(numbers: Sequence[float]) -> api.Box:
    first, second = numbers[:3], numbers[3:]
    low, high = zip(*(sorted(pair) for pair in zip(first, second, strict=True)), strict=True)
    return api.Box(low, high)


def _models(options: argparse.Namespace) -> None:
    for folder in api.list_models():
        try:
            spec = api.read_spec(folder)
            print(f"{folder.name}\t{spec.title}\t{', '.join(item.modality for item in spec.inputs)}\t{folder}")
        except api.DeepSegError as error:
            print(f"{folder.name}\tcannot be used: {error}")


def _info(options: argparse.Namespace) -> None:
    bundle = api.load_model(options.model)
    spec = bundle.spec
    size = sum(path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()) / 1e6
    rows = [
        ("model", f"{spec.id} {spec.version} ({size:.1f} MB)"),
        ("title", spec.title),
        ("summary", spec.summary),
        ("inputs", "; ".join(f"{item.name} ({item.modality}, {item.unit})" for item in spec.inputs)),
        ("segments", "; ".join(f"{label.value} {label.name}" for label in spec.labels)),
        ("grid", f"{spec.orientation}, {' x '.join(f'{v:g}' for v in spec.spacing_mm)} mm, window {' x '.join(map(str, spec.patch))}"),
        ("network", spec.network.name),
        ("accuracy", _accuracy(spec)),
        ("intended use", spec.intended_use),
        ("licence", spec.licence),
        ("citation", spec.citation),
        ("sha256", bundle.sha256),
    ]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")


def _accuracy(spec: api.ModelSpec) -> str:
    scores = spec.metrics.get("labels", {})
    told = [f"{name}: Dice {s['dice']['mean']:.3f} (95 % {s['dice']['low']:.3f}-{s['dice']['high']:.3f})" for name, s in scores.items()]
    return f"{'; '.join(told)}; {spec.metrics['cases']} held-out cases" if told else "not measured"


class ProgressBar:
    """A run's progress on standard error, with time left."""

    def __enter__(self) -> ProgressBar:
        from tqdm import tqdm

        self._bar = tqdm(total=100, bar_format="{desc}: {percentage:3.0f}% |{bar}|{postfix}", leave=False, file=sys.stderr)
        return self

    def show(self, progress: api.Progress) -> None:
        left = "" if progress.seconds_left is None else f"{progress.seconds_left:.0f} s left"
        self._bar.set_description_str(progress.stage, refresh=False)
        self._bar.set_postfix_str(left, refresh=False)
        self._bar.update(100 * progress.fraction - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()


if __name__ == "__main__":
    sys.exit(main())
