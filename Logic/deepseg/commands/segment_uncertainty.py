"""`deepseg segment --uncertainty`: segments, maps of doubt beside them, and where to look."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from deepseg import api
from deepseg.commands.progress_bar import ProgressBar
from deepseg.commands.results import measured, written
from deepseg.inputs import with_preparation
from deepseg.outputs import beside, write_whole

METHODS = ("single-pass", "deep-supervision", "augmentation", "dropout", "ensemble")
"""Keys of `deepseg.uncertainty.samplers.SAMPLERS`; importing that would load PyTorch."""
WRITTEN = ("predictive_entropy", "mutual_information")
_TOLD = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--uncertainty",
        nargs="?",
        const="augmentation",
        metavar="METHOD",
        choices=METHODS,
        help=f"also say how sure the model is, by {', '.join(METHODS)} (default: augmentation)",
    )
    parser.add_argument("--samples", type=int, metavar="N", help="how many samples that method draws")
    parser.add_argument("--seed", type=int, metavar="N", help="what they are drawn from (default: 0)")


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
    api.check_output(table, (".csv",))
    with ProgressBar() as bar:
        result = api.estimate_uncertainty(volume, bundle, roi, bar.show, sampler=options.uncertainty, samples=options.samples, seed=options.seed or 0)
    regions = api.uncertain_regions(result)
    if result.samples == 1:
        # A single sample tells nothing of the model's own doubt; a map of zeros would look as if there were none.
        maps = {name: path for name, path in maps.items() if result.maps[name].kind != "epistemic"}
    for name, path in maps.items():
        found = result.maps[name]
        api.write_volume(api.Volume(found.values[None], found.geometry, (found.unit,), found.title), path, result.prediction.provenance)
    write_regions(regions, table)
    earlier = api.set_aside(options.output)
    api.write_label_map(with_preparation(result.prediction.labels, notes), options.output)
    for note in (*notes, *result.prediction.notes):
        print(f"Note: {note}")
    for line in measured(result.prediction.labels):
        print(line)
    for label in result.prediction.labels.labels if result.agreement else ():
        print(f"Dice between two of {result.samples} samples, {label.name}: {result.agreement[label.value]:.3f}")
    print(f"Doubtful regions: {len(regions)}")
    for region in regions[:_TOLD]:
        place = ", ".join(f"{x:.1f}" for x in region.position_ras_mm)
        print(f"  {region.label.name}, at RAS {place} mm: {region.size_ml:.2f} mL")
    print(written(options.output, earlier, *maps.values(), table))


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
