"""The report's section on doubt: how far each segment can be trusted, where to look, and how well the probabilities are calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepseg.bundle import ModelBundle
from deepseg.pictures import AXIAL, CORONAL, Frame, Plane, Screen, css_color, need, slice_picture, svg
from deepseg.results import SegmentReport, UncertainRegion, Uncertainty, UncertaintyMap
from deepseg.uncertainty.calibration import load_calibration
from deepseg.uncertainty.regions import uncertain_regions
from deepseg.volume import LabelMap, Volume

_SHOWN = 6
_SIDE = 100.0
"""Length of a reliability diagram's axes, in its own unit."""


@dataclass(frozen=True, eq=False)
class Doubt:
    """What the section tells.

    Attributes:
        shown: the map that is drawn: of error probability where the model was calibrated, else of predictive entropy.
        reports: by segment.
        regions: those that could change most first.
        told: sentences on what is unlike the training images.
        notes: what a user should know of the figures.
        curves: reliability by label and method ('none' is the network as it is), where it was measured.
        cases: on how many cases.
    """

    shown: UncertaintyMap
    reports: tuple[SegmentReport, ...]
    regions: tuple[UncertainRegion, ...]
    told: tuple[str, ...]
    notes: tuple[str, ...]
    curves: dict[str, dict[str, dict[str, list[float]]]]
    cases: int

    @staticmethod
    def of(result: Uncertainty, bundle: ModelBundle) -> Doubt:
        """From one result."""
        calibration = load_calibration(bundle)
        way = calibration.of(result.sampler, result.samples) if calibration else None
        figures: Mapping[str, Any] = way.figures if way else {}
        shown = result.maps["error_probability" if result.calibrated else "predictive_entropy"]
        told = tuple(finding.told for finding in result.findings)
        regions = tuple(uncertain_regions(result))
        return Doubt(shown, result.reports, regions, told, result.notes, figures.get("curves", {}), figures.get("cases", 0))

    @staticmethod
    def together(parts: Mapping[str, Doubt]) -> Doubt:
        """Of several runs over one image, whose boxes do not overlap, each with the word that its segments' names begin with."""

        def named(word: str, name: str) -> str:
            return f"{word} {name[:1].lower()}{name[1:]}"

        first = next(iter(parts.values()))
        shown = replace(first.shown, values=np.max([part.shown.values for part in parts.values()], axis=0))
        reports = [replace(report, name=named(word, report.name)) for word, part in parts.items() for report in part.reports]
        regions = [
            replace(region, label=replace(region.label, name=named(word, region.label.name)))
            for word, part in parts.items()
            for region in part.regions
        ]
        everywhere = [sentence for sentence in first.told if all(sentence in part.told for part in parts.values())]
        told = everywhere + [f"{word} side: {sentence}" for word, part in parts.items() for sentence in part.told if sentence not in everywhere]
        ordered = tuple(sorted(regions, key=lambda region: -region.change_ml))
        return replace(first, shown=shown, reports=tuple(reports), regions=ordered, told=tuple(told))


def doubt_section(doubt: Doubt, volume: Volume, labels: LabelMap) -> str:
    """The section as HTML.

    Raises:
        DeepSegError: a package of the 'report' extra is missing.
    """
    jinja2 = need("jinja2")
    source = Path(__file__).with_name("report_doubt.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    screen = Screen.of(volume, labels)
    heat = volume.geometry.orientation_to("LPI").apply(doubt.shown.values) / doubt.shown.largest
    colors = {label.name: css_color(label.color) for label in labels.labels}
    return environment.from_string(source).render(
        measure=doubt.shown.title,
        calibrated=doubt.shown.measure == "error_probability",
        told=doubt.told,
        notes=doubt.notes,
        rows=[_row(report, colors) for report in doubt.reports],
        level=f"{100 * doubt.reports[0].level:g}" if doubt.reports else "",
        pictures=_pictures(screen, heat, doubt.regions) if labels.array.any() else [],
        regions=[_region(n, region) for n, region in enumerate(doubt.regions[:_SHOWN], 1)],
        others=max(len(doubt.regions) - _SHOWN, 0),
        curves=[(label, reliability_diagram(methods)) for label, methods in doubt.curves.items()],
        cases=doubt.cases,
    )


def reliability_diagram(methods: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Predicted probability against observed frequency, the network as it is dashed, recalibrated solid: an inline SVG.

    Args:
        methods: curves by method of recalibration ('none' is the network as it is), as calibration files hold them: 'promised' is the mean predicted
            probability of each bin, 'observed' the share of its voxels that have the label.
    """
    parts = [f'<path class="frame" d="M0 0V{_SIDE}H{_SIDE}"/><path class="ideal" d="M0 {_SIDE}L{_SIDE} 0"/>']
    for method, curve in methods.items():
        points = [(_SIDE * x, _SIDE * (1 - y)) for x, y in zip(curve["promised"], curve["observed"], strict=True)]
        path = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)
        parts.append(f'<path class="{"before" if method == "none" else "after"}" d="{path}"/>')
        parts += [f'<circle class="{"before" if method == "none" else "after"}" cx="{x:.2f}" cy="{y:.2f}" r="1.3"/>' for x, y in points]
    for share in (0, 50, 100):
        parts.append(f'<text x="{share}" y="{_SIDE + 9}" font-size="6">{share} %</text>')
        parts.append(f'<text x="-10" y="{_SIDE - share + 2}" font-size="6">{share} %</text>')
    parts.append(f'<text x="50" y="{_SIDE + 18}" font-size="6">predicted probability</text>')
    parts.append('<text x="-20" y="50" font-size="6" transform="rotate(-90 -20 50)">observed frequency</text>')
    return svg(Frame(-28.0, -6.0, 146.0, 126.0), "".join(parts), "Predicted probability against observed frequency", "curve")


def _pictures(screen: Screen, heat: np.ndarray, regions: Sequence[UncertainRegion]) -> list[tuple[str, str]]:
    """Through the regions to look at first, in the plane that shows most of the segments; an axial one where there is none."""
    values, shown = [label.value for label in screen.labels], []
    for n, region in enumerate(regions[:3], 1):
        at = np.round(screen.geometry.ijk_from_ras(np.array(region.position_ras_mm))).astype(int)
        shown.append((f"Region {n}, {region.label.name}", CORONAL, int(at[CORONAL.normal])))
    shown = shown or [("No region in doubt", AXIAL, screen.slice_through(AXIAL, values))]
    return [(f"{words}; {plane.name}, {screen.position(plane, index)}", _heated(screen, plane, index, heat, values)) for words, plane, index in shown]


def _heated(screen: Screen, plane: Plane, index: int, heat: np.ndarray, values: list[int]) -> str:
    return slice_picture(screen, plane, index, screen.frame_around(plane, values), heat=heat)


def _row(report: SegmentReport, colors: Mapping[str, str]) -> dict[str, str | None]:
    low_high = report.volume_interval_ml
    dice = "" if report.expected_dice is None else f"{report.expected_dice:.2f} ({report.dice_interval[0]:.2f} to {report.dice_interval[1]:.2f})"
    return {
        "name": report.name,
        "color": colors.get(report.name),
        "volume": f"{report.volume_ml:.2f}",
        "interval": f"{low_high[0]:.2f} to {low_high[1]:.2f}" if low_high else "",
        "dice": dice,
        "verdict": ", ".join([*report.flags, *([report.verdict] if report.verdict else [])]),
    }


def _region(number: int, region: UncertainRegion) -> tuple[str, ...]:
    place = ", ".join(f"{letters[at < 0]} {abs(at):.0f}" for letters, at in zip(("RL", "AP", "SI"), region.position_ras_mm, strict=True))
    return str(number), region.label.name, place, f"{region.size_ml:.2f}", f"{region.change_ml:.2f}"
