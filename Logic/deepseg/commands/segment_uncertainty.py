"""`deepseg segment --uncertainty`: segments, maps of doubt beside them, and where to look."""

from __future__ import annotations

import argparse

from deepseg import api
from deepseg.commands.progress_bar import ProgressBar
from deepseg.commands.results import written
from deepseg.commands.uncertainty_tables import region_lines, report_lines, write_regions, write_reports
from deepseg.inputs import with_preparation
from deepseg.outputs import beside

_MAPS = ("error-probability", "predictive-entropy", "mutual-information")
ADDITIONS = ("-segments.csv", "-regions.csv", "-contours.seg.nrrd", *(f"-{name}.nii.gz" for name in _MAPS))
"""What may lie beside OUT, by the end of its name."""
METHODS = ("single-pass", "deep-supervision", "learned-variance", "augmentation", "dropout", "ensemble")
"""Keys of `deepseg.uncertainty.samplers.SAMPLERS`; importing that would load PyTorch."""
USUAL_LEVEL = 0.9


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--uncertainty",
        nargs="?",
        const=True,
        metavar="METHOD",
        type=_method,
        help=f"also say how sure the model is, by {', '.join(METHODS)} (default: the one the model was calibrated for)",
    )
    parser.add_argument("--samples", type=int, metavar="N", help="how many samples that method draws (default: as the model was calibrated)")
    parser.add_argument("--seed", type=int, metavar="N", help="what they are drawn from (default: 0)")
    parser.add_argument("--level", type=float, metavar="SHARE", help=f"share of new cases that intervals are to hold (default: {USUAL_LEVEL})")
    parser.add_argument(
        "--contours",
        action="store_true",
        help="also write two contours of each segment: 95 %% of what is inside the inner one is its own, 95 %% of it is inside the outer one, "
        "each in that share of new cases",
    )


def _method(name: str) -> str:
    if name not in METHODS:
        raise argparse.ArgumentTypeError(f"'{name}' is no METHOD; they are {', '.join(METHODS)}. An image comes before --uncertainty")
    return name


def refuse_without_uncertainty(options: argparse.Namespace) -> None:
    """Refuse options that would do nothing.

    Raises:
        UncertaintyError: one is there, and --uncertainty is not.
    """
    given = [f"--{name}" for name in ("samples", "seed", "level", "contours") if getattr(options, name) not in (None, False)]
    if given and not options.uncertainty:
        raise api.UncertaintyError(f"{given[0]} belongs to --uncertainty; name it too, or leave {given[0]} out.")


def run_uncertain(options: argparse.Namespace, bundle: api.ModelBundle, volume: api.Volume, notes: list[str], roi: api.Box | None) -> None:
    """Segment one image with samples; writes OUT and beside it maps, a table of segments and one of regions.

    Raises:
        DeepSegError: as `deepseg segment`; or the method cannot work with this model; or an option does not go with it.
    """
    if options.mirror or options.precision not in ("auto", "float32"):
        raise api.UncertaintyError("--uncertainty runs in float32 and draws its samples itself; leave --mirror and --precision out.")
    segments, regions, contours = (beside(options.output, end) for end in ("-segments.csv", "-regions.csv", "-contours.seg.nrrd"))
    for path in (segments, regions):
        api.check_output(path, (".csv",))
    sampler = None if options.uncertainty is True else options.uncertainty
    before = [finding.told for finding in api.unusual(volume, bundle, roi)]
    for told in before:
        print(f"Unlike the training images: {told}")
    print(api.forecast_uncertainty(volume, bundle, roi, sampler=sampler, samples=options.samples, device=options.device))
    with ProgressBar() as bar:
        result = api.estimate_uncertainty(
            volume,
            bundle,
            roi,
            bar.show,
            sampler=sampler,
            samples=options.samples,
            seed=options.seed or 0,
            level=options.level,
            device=options.device,
        )
    drawn = api.contours(result, bundle, options.level or USUAL_LEVEL) if options.contours else None
    maps = {beside(options.output, f"-{name.replace('_', '-')}.nii.gz"): result.maps[name] for name in _names(result)}
    places = api.uncertain_regions(result)
    earlier = api.set_aside(options.output, ADDITIONS)
    for path, found in maps.items():
        api.write_volume(found.volume(), path, result.prediction.provenance)
    write_reports(result, volume.name, segments)
    write_regions(places, result.calibrated, regions)
    if drawn:
        api.write_label_map(drawn, contours)
    api.write_label_map(with_preparation(result.prediction.labels, notes), options.output)
    for told in (finding.told for finding in result.findings if finding.told not in before):
        print(f"Unlike the training images: {told}")
    if options.seed is not None and result.seed is None:
        print(f"Note: --seed makes no difference to {result.sampler} with {result.samples} samples.")
    for note in (*notes, *result.prediction.notes, *result.notes):
        print(f"Note: {note}")
    for line in (*report_lines(result), *_agreement(result), *region_lines(places, result.calibrated, regions.name)):
        print(line)
    print(written(options.output, earlier, *maps, segments, regions, *([contours] if drawn else [])))


def _names(result: api.Uncertainty) -> list[str]:
    """Maps that are written: of a single sample none of the model's own doubt, because zeros would look as if there were none."""
    names = ["error_probability"] if result.calibrated else []
    return [*names, "predictive_entropy", *(["mutual_information"] if result.samples > 1 else [])]


def _agreement(result: api.Uncertainty) -> list[str]:
    labels = result.prediction.labels.labels if result.agreement else ()
    drawn = f"two of the {result.samples} samples ({result.sampler})" if result.samples > 2 else f"the two samples ({result.sampler})"
    return [f"{label.name}: {drawn} agree on average to Dice {result.agreement[label.value]:.3f}" for label in labels]
