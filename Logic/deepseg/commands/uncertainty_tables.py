"""What is said of a result's uncertainty, on the terminal and as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deepseg import api
from deepseg.outputs import write_whole

_TOLD = 3


def report_lines(result: api.Uncertainty) -> list[str]:
    """A line a segment."""
    return [", ".join(_parts(report, bool(result.findings))) for report in result.reports]


def region_lines(regions: Sequence[api.UncertainRegion], calibrated: bool, table: str) -> list[str]:
    """How many regions there are, and the first ones."""
    if not regions:
        return ["No doubtful region."]
    rest = f", the first {_TOLD}; all in {table}" if len(regions) > _TOLD else ""
    lines = [f"Regions in doubt, those first that could change most ({len(regions)}{rest}):"]
    for region in regions[:_TOLD]:
        place = ", ".join(f"{x:.1f}" for x in region.position_ras_mm)
        size = f"{region.change_ml:.2f} mL expected to be wrong of {region.size_ml:.2f} mL" if calibrated else f"{region.size_ml:.2f} mL"
        lines.append(f"  {region.label.name}, around RAS {place} mm: {size}")
    return lines


def write_reports(result: api.Uncertainty, image: str, path: Path) -> None:
    """A row a segment, as CSV; what is not known stays empty.

    Raises:
        OutputError: it cannot be written.
    """
    header = ["segment", "volume_ml", "likeliest_ml", "level", "volume_low_ml", "volume_high_ml", "expected_dice", "dice_low", "dice_high", "verdict"]
    unlike, model = " ".join(finding.told for finding in result.findings), result.prediction.provenance["DeepSeg.Model"]
    agreement = {label.name: result.agreement[label.value] for label in result.prediction.labels.labels} if result.agreement else {}
    rows = [
        [
            report.name,
            report.volume_ml,
            report.likeliest_ml,
            report.level if result.calibrated else None,
            *(report.volume_interval_ml or (None, None)),
            report.expected_dice,
            *(report.dice_interval or (None, None)),
            report.verdict,
            report.mean_entropy,
            agreement.get(report.name),
            "; ".join(report.flags),
            unlike,
            result.sampler,
            result.samples,
            model,
            image,
        ]
        for report in result.reports
    ]
    _write([*header, "mean_entropy_nats", "samples_dice", "flags", "unlike_training", "method", "samples", "model", "image"], rows, path)


def write_regions(regions: Iterable[api.UncertainRegion], calibrated: bool, path: Path) -> None:
    """A row a region as CSV, those first that could change most; how much only where the model was calibrated.

    Raises:
        OutputError: it cannot be written.
    """
    header = ["segment", "r_mm", "a_mm", "s_mm", "size_ml", "expected_error_ml", "measure", "mean", "largest"]
    rows = [
        [
            region.label.name,
            *region.position_ras_mm,
            region.size_ml,
            region.change_ml if calibrated else None,
            region.measure,
            region.mean,
            region.largest,
        ]
        for region in regions
    ]
    _write(header, rows, path)


def _parts(report: api.SegmentReport, unusual: bool) -> list[str]:
    parts = [f"{report.name}: {report.volume_ml:.2f} mL as outlined"]
    if report.volume_interval_ml:
        low, high = report.volume_interval_ml
        parts.append(f"likeliest {report.likeliest_ml:.2f} mL ({100 * report.level:g} %: {low:.2f}-{high:.2f})")
    if report.expected_dice is not None:
        low, high = report.dice_interval
        parts.append(f"expected Dice {report.expected_dice:.2f} ({low:.2f}-{high:.2f})")
    why = " (unlike the training images)" if unusual else ""
    return [*parts, *report.flags, *([report.verdict + why] if report.verdict else [])]


def _write(header: list[str], rows: list[list[Any]], path: Path) -> None:
    def write(to: Path) -> None:
        with to.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows([[_cell(value) for value in row] for row in rows])

    write_whole(path, write)


def _cell(value: Any) -> Any:
    """What is not known, or is no number, stays empty."""
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else value
