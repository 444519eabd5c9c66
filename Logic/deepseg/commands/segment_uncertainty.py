"""`deepseg segment --uncertainty`: segments, maps of doubt beside them, and where to look."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from deepseg import api
from deepseg.commands.progress_bar import ProgressBar
from deepseg.inputs import with_preparation
from deepseg.io import LABEL_SUFFIXES, write_whole

WRITTEN = ("predictive_entropy", "mutual_information")
_TOLD = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--uncertainty",
        nargs="?",
        const="augmentation",
        metavar="METHOD",
        help="also say how sure the model is, by one of single-pass, deep-supervision, augmentation (where none is named), dropout, ensemble",
    )
    parser.add_argument("--samples", type=int, metavar="N", help="how many samples that method draws")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="what they are drawn from (default: 0)")


def run_uncertain(options: argparse.Namespace, bundle: api.ModelBundle, volume: api.Volume, notes: list[str], roi: api.Box | None) -> None:
    """Segment one image with samples; writes OUT, a map beside it for each of `WRITTEN`, and a table of regions.

    Raises:
        DeepSegError: as `deepseg segment`; or the method cannot work with this model; or an option does not go with it.
    """
    if options.mirror or options.precision not in ("auto", "float32"):
        raise api.UncertaintyError("--uncertainty runs in float32 and draws its samples itself; leave --mirror and --precision out.")
    maps = {name: beside(options.output, f"-{name.replace('_', '-')}.nii.gz") for name in WRITTEN}
    table = beside(options.output, "-regions.csv")
    for path in maps.values():
        api.check_output(path)
    with ProgressBar() as bar:
        result = api.estimate_uncertainty(volume, bundle, roi, bar.show, sampler=options.uncertainty, samples=options.samples, seed=options.seed)
    regions = api.uncertain_regions(result)
    for name, path in maps.items():
        found = result.maps[name]
        api.write_volume(api.Volume(found.values[None], found.geometry, (found.unit,), found.title), path)
    write_regions(regions, table)
    api.write_label_map(with_preparation(result.prediction.labels, notes), options.output)
    for note in (*notes, *result.prediction.notes):
        print(f"Note: {note}")
    for label, milliliters in result.prediction.volumes_ml():
        agreement = f", Dice between two samples {result.agreement[label.value]:.3f}" if result.agreement else ""
        print(f"{label.name}: {milliliters:.2f} mL{agreement}")
    print(f"Doubtful regions: {len(regions)}")
    for region in regions[:_TOLD]:
        place = ", ".join(f"{x:.1f}" for x in region.position_ras_mm)
        print(f"  {region.label.name}, at RAS {place} mm: {region.size_ml:.2f} mL")
    print(f"Written: {options.output}, {', '.join(path.name for path in (*maps.values(), table))}")


def write_regions(regions: list[api.UncertainRegion], path: Path) -> None:
    """A row a region as CSV, those first that could change most.

    Raises:
        OutputError: it cannot be written.
    """

    def write(to: Path) -> None:
        with to.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(["segment", "r_mm", "a_mm", "s_mm", "size_ml", "doubt_weighted_ml", "mean_margin_doubt", "largest_margin_doubt"])
            for region in regions:
                figures = (*region.position_ras_mm, region.size_ml, region.change_ml, region.mean, region.largest)
                writer.writerow([region.label.name, *(f"{figure:.4g}" for figure in figures)])

    write_whole(path, write)


def beside(output: Path, ending: str) -> Path:
    """A file beside the result, by its name without its ending."""
    suffix = next((s for s in LABEL_SUFFIXES if output.name.endswith(s)), output.suffix)
    return output.with_name(output.name.removesuffix(suffix) + ending)
