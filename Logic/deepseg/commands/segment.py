"""`deepseg segment`: one image to one file of segments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from deepseg import api
from deepseg.commands.devices import add_device
from deepseg.commands.progress_bar import ProgressBar
from deepseg.commands.results import measured, written
from deepseg.commands.segment_frames import is_sequence, run_frames
from deepseg.commands.segment_uncertainty import ADDITIONS, add_options, refuse_without_uncertainty, run_uncertain
from deepseg.inputs import with_preparation


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("segment", help="segment one image")
    parser.add_argument(
        "images",
        metavar="IN",
        type=Path,
        nargs="+",
        help="NIfTI, NRRD or MetaImage file, or a folder with one DICOM series; one per model input, in order",
    )
    parser.add_argument("-m", "--model", required=True, help="name of an installed model, or a model's folder")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help="ends in .seg.nrrd (opens in Slicer with names and colours), .nii.gz, ..."
    )
    parser.add_argument(
        "--roi", nargs=6, type=float, metavar=("R0", "A0", "S0", "R1", "A1", "S1"), help="box to look at: two opposite corners, RAS in mm"
    )
    add_model_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Options of every command that runs a model on images."""
    parser.add_argument("--n4", action="store_true", help="correct the bias field of MR images first")
    parser.add_argument("--mirror", action="store_true", help="average the answers to mirrored images: better by a little, 2 to 8 times the time")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16", "float16"), help="number type of the network")
    add_device(parser)


def run(options: argparse.Namespace) -> None:
    roi = _box(options.roi) if options.roi else None
    api.check_output(options.output)
    for image in options.images:
        if options.output.exists() and image.exists() and options.output.samefile(image):
            raise api.OutputError(f"{options.output} is the image itself; its voxels would be lost. Name another output file.")
    refuse_without_uncertainty(options)
    bundle = api.load_model(options.model)
    if any(map(is_sequence, options.images)):
        if options.uncertainty:
            raise api.UncertaintyError("--uncertainty takes one image, not a sequence. Choose a frame, or leave it out.")
        run_frames(options, bundle, roi)
        return
    volume, notes = api.read_inputs(options.images, bundle.spec, options.n4)
    if options.uncertainty:
        run_uncertain(options, bundle, volume, notes, roi)
        return
    for finding in api.unusual(volume, bundle, roi):
        print(f"Unlike the training images: {finding.told}")
    how = {"precision": options.precision, "mirror": options.mirror, "device": options.device}
    print(api.forecast(volume, bundle, roi, **how))
    with ProgressBar() as bar:
        prediction = api.segment(volume, bundle, roi, bar.show, probabilities=False, **how)
    earlier = api.set_aside(options.output, ADDITIONS)
    api.write_label_map(with_preparation(prediction.labels, notes), options.output)
    for note in (*notes, *prediction.notes):
        print(f"Note: {note}")
    for line in measured(prediction.labels):
        print(line)
    print(written(options.output, earlier))


def _box(numbers: Sequence[float]) -> api.Box:
    first, second = numbers[:3], numbers[3:]
    low, high = zip(*(sorted(pair) for pair in zip(first, second, strict=True)), strict=True)
    return api.Box(low, high)
