"""What is said of a result's uncertainty, on the terminal and as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deepseg import api
from deepseg.outputs import write_whole

_TOLD = 3


def report_lines(reports: Sequence[api.SegmentReport]) -> list[str]:
    """A line a segment."""
    return [", ".join(_parts(report)) for report in reports]


def region_lines(regions: Sequence[api.UncertainRegion], table: str) -> list[str]:
    """How many regions there are, and the first ones."""
    lines = (
        [f"Look first at ({min(_TOLD, len(regions))} of {len(regions)} regions in doubt; all in {table}):"] if regions else ["No doubtful region."]
    )
    for region in regions[:_TOLD]:
        place = ", ".join(f"{x:.1f}" for x in region.position_ras_mm)
        lines.append(f"  {region.label.name}, around RAS {place} mm: {region.size_ml:.2f} mL in doubt")
    return lines


def write_reports(reports: Iterable[api.SegmentReport], path: Path) -> None:
    """A row a segment, as CSV; what is not known stays empty.

    Raises:
        OutputError: it cannot be written.
    """
    header = ["segment", "volume_ml", "level", "volume_low_ml", "volume_high_ml", "expected_dice", "dice_low", "dice_high", "verdict"]
    rows = [
        [
            report.name,
            report.volume_ml,
            report.level,
            *(report.volume_interval_ml or ("", "")),
            "" if report.expected_dice is None else report.expected_dice,
            *(report.dice_interval or ("", "")),
            report.verdict or "",
            report.mean_entropy,
            "; ".join(report.flags),
        ]
        for report in reports
    ]
    _write([*header, "mean_entropy_nats", "flags"], rows, path)


def write_regions(regions: Iterable[api.UncertainRegion], path: Path) -> None:
    """A row a region as CSV, those first that could change most.

    Raises:
        OutputError: it cannot be written.
    """
    header = ["segment", "r_mm", "a_mm", "s_mm", "size_ml", "expected_error_ml", "measure", "mean", "largest"]
    rows = [
        [region.label.name, *region.position_ras_mm, region.size_ml, region.change_ml, region.measure, region.mean, region.largest]
        for region in regions
    ]
    _write(header, rows, path)


def _parts(report: api.SegmentReport) -> list[str]:
    parts = [f"{report.name}: {report.volume_ml:.2f} mL"]
    if report.volume_interval_ml:
        low, high = report.volume_interval_ml
        parts.append(f"{100 * report.level:g} %: {low:.2f}-{high:.2f} mL")
    if report.expected_dice is not None:
        low, high = report.dice_interval
        parts.append(f"expected Dice {report.expected_dice:.2f} ({low:.2f}-{high:.2f})")
    return [*parts, *report.flags, *([report.verdict] if report.verdict else [])]


def _write(header: list[str], rows: list[list[Any]], path: Path) -> None:
    def write(to: Path) -> None:
        with to.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows([[f"{cell:.4g}" if isinstance(cell, float) else cell for cell in row] for row in rows])

    write_whole(path, write)
