"""A report on one prediction: a single HTML file with pictures, volumes, the model's card and how it was made. It loads nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from deepseg.bundle import ModelBundle
from deepseg.geometry import Box
from deepseg.outputs import check_output, write_whole
from deepseg.pictures import AXIAL, CORONAL, SAGITTAL, Screen, css_color, need, slice_picture
from deepseg.report_doubt import Doubt, doubt_section
from deepseg.report_explanation import explanation_section
from deepseg.results import Explanation, Prediction
from deepseg.spec import ModelSpec
from deepseg.surface import CAMERAS, surface_picture, surfaces
from deepseg.volume import Label, LabelMap, Volume

_SIDES = {"7771000": "Left", "24028007": "Right"}
_METRIC_NAMES = {
    "dice": "Dice",
    "iou": "IoU",
    "hd95_mm": "HD95 (mm)",
    "surface_dice_1mm": "Surface Dice at 1 mm",
    "volume_error_percent": "Volume error (%)",
}
_PROVENANCE_NAMES = {
    "DeepSeg.Model": "Model",
    "DeepSeg.ModelVersion": "Model version",
    "DeepSeg.ModelSha256": "Model SHA-256",
    "DeepSeg.Version": "DeepSeg version",
}


@dataclass(frozen=True)
class Row:
    """A line of the table of volumes; `color` is None in a sum."""

    name: str
    color: str | None
    code: str
    voxels: int
    volume: str


def write_report(
    path: str | Path,
    volume: Volume,
    prediction: Prediction,
    bundle: ModelBundle,
    regions: Sequence[Box] = (),
    about: str = "",
    doubt: Doubt | None = None,
    explanations: Sequence[Explanation] = (),
) -> None:
    """Write a report; the file appears whole or not at all.

    Args:
        path: an `.html` file in an existing folder.
        volume: the image that was segmented; its first channel is shown.
        prediction: its segments, on the same grid.
        bundle: the model that made them.
        regions: boxes (RAS, mm) that were segmented, to be drawn.
        about: a sentence on the image for the reader.
        doubt: how far the result can be trusted, on the same grid, where that was estimated.
        explanations: why the model says so, on the same grid.

    Raises:
        VolumeError: the segments lie on another grid than the volume.
        OutputError: the file cannot be written.
        DeepSegError: a package of the 'report' extra is missing.
    """
    path = Path(path)
    check_output(path, (".html",))
    page = render(volume, prediction, bundle, regions, about, doubt, explanations)
    write_whole(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def render(
    volume: Volume,
    prediction: Prediction,
    bundle: ModelBundle,
    regions: Sequence[Box] = (),
    about: str = "",
    doubt: Doubt | None = None,
    explanations: Sequence[Explanation] = (),
) -> str:
    """The report as HTML text; arguments and errors as `write_report`."""
    jinja2 = need("jinja2")
    source = Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    labels, spec = prediction.labels, bundle.spec
    screen = Screen.of(volume, labels)
    found = labels.array.any()
    meshes = surfaces(labels)
    return environment.from_string(source).render(
        title=spec.title,
        image=volume.name,
        about=about,
        spec=spec,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        labels=[(label.name, css_color(label.color)) for label in labels.labels],
        headline=headline(labels),
        rows=volume_rows(labels),
        grid=f"{' x '.join(map(str, volume.geometry.shape))} voxels of {' x '.join(f'{mm:.3g}' for mm in volume.geometry.spacing_mm)} mm",
        tilt=round(screen.tilt_degrees()),
        details=_details(screen, labels) if found else [],
        regions=len(regions),
        contexts=_contexts(screen, labels, regions) if found else [],
        views=[(camera.name, surface_picture(meshes, camera)) for camera in CAMERAS] if found else [],
        doubt=doubt_section(doubt, volume, labels) if doubt else "",
        explanation=explanation_section(explanations, volume, labels) if explanations else "",
        metrics=metric_table(spec),
        facts=_facts(prediction),
        times=_times(prediction.seconds),
        total=f"{sum(prediction.seconds.values()):.1f}",
    )


def side_of(label: Label) -> str | None:
    """'Left', 'Right' or None, from the label's coded region or type modifier."""
    coded = label.terminology
    codes = [coded.region_modifier, coded.type_modifier] if coded else []
    return next((_SIDES[code.value] for code in codes if code and code.value in _SIDES), None)


def sides(labels: LabelMap) -> dict[str, tuple[Label, ...]]:
    """Labels of each side of the body, left first; those that have no side under ''."""
    named = {side: tuple(label for label in labels.labels if (side_of(label) or "") == side) for side in ("Left", "Right", "")}
    return {side: group for side, group in named.items() if group}


def volume_rows(labels: LabelMap) -> list[Row]:
    """A row per segment, and the sum of each side where segments have sides."""
    rows, unit = [], labels.geometry.voxel_volume_ml
    for side, group in sides(labels).items():
        counts = [int(np.count_nonzero(labels.mask(label))) for label in group]
        for label, count in zip(group, counts, strict=True):
            rows.append(Row(label.name, css_color(label.color), _coded(label), count, milliliters(count * unit)))
        if side and len(group) > 1:
            rows.append(Row(f"{side}, together", None, "", sum(counts), milliliters(sum(counts) * unit)))
    return rows


def headline(labels: LabelMap) -> str:
    """The result in one plain sentence."""
    missing = [label.name for label in labels.labels if not labels.mask(label).any()]
    if len(missing) == len(labels.labels):
        return "No segment was found. Check that the image and the region of interest are what the model was made for."
    totals = {side: milliliters(sum(labels.volume_ml(label) for label in group)) for side, group in sides(labels).items()}
    parts = [f"{total} mL{' on the ' + side.lower() if side else ' elsewhere' if len(totals) > 1 else ''}" for side, total in totals.items()]
    lost = f" Not found: {', '.join(missing)}." if missing else ""
    count = len(labels.labels) - len(missing)
    return f"{count} segment{'s' if count > 1 else ''} found: {' and '.join(parts)}.{lost}"


def milliliters(value: float) -> str:
    """A volume with as many decimals as mean something."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def metric_table(spec: ModelSpec) -> dict[str, Any] | None:
    """The spec's measured figures as `{"cases", "columns", "rows"}`, None where it has none; entries of unknown form are left out.

    Of many measures, those that radiologists know are shown.
    """
    labels = spec.metrics.get("labels")
    if not isinstance(labels, dict) or not labels:
        return None
    keys = list(dict.fromkeys(key for entry in labels.values() if isinstance(entry, dict) for key in entry))
    keys = [key for key in _METRIC_NAMES if key in keys] or keys
    rows = [(name, [_figure(entry.get(key)) for key in keys]) for name, entry in labels.items() if isinstance(entry, dict)]
    columns = [_METRIC_NAMES.get(key, key.replace("_", " ")) for key in keys]
    return {"cases": spec.metrics.get("cases"), "columns": columns, "rows": rows}


def _coded(label: Label) -> str:
    """The label's coded meaning, for example 'Hippocampus (SCT 5366008), Anterior; Brain, Left'."""
    coded = label.terminology
    if coded is None:
        return ""
    what = f"{coded.type.meaning} ({coded.type.scheme} {coded.type.value})" + (f", {coded.type_modifier.meaning}" if coded.type_modifier else "")
    where = [code.meaning for code in (coded.region, coded.region_modifier) if code]
    return "; ".join([what, ", ".join(where)] if where else [what])


def _figure(value: object) -> str:
    """'0.88 (0.87 to 0.89)' from a number, or from a mean with its interval."""
    if isinstance(value, dict) and isinstance(value.get("mean"), int | float):
        interval = f" ({value['low']:.3f} to {value['high']:.3f})" if "low" in value and "high" in value else ""
        return f"{value['mean']:.3f}{interval}"
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _details(screen: Screen, labels: LabelMap) -> list[tuple[str, str]]:
    """Enlarged slices with their captions: axial and coronal through all segments, sagittal through each side's."""
    everything = [label.value for label in labels.labels]
    shown = [(plane, everything, "") for plane in (AXIAL, CORONAL)]
    shown += [(SAGITTAL, [label.value for label in group], side) for side, group in reversed(sides(labels).items())]
    pictures = []
    for plane, values, side in shown:
        if screen.where(values).any():
            index = screen.slice_through(plane, values)
            words = f"{plane.name.capitalize()}{', ' + side.lower() + ' side' if side else ''}, {screen.position(plane, index)}"
            pictures.append((words, slice_picture(screen, plane, index, screen.frame_around(plane, values))))
    return pictures


def _contexts(screen: Screen, labels: LabelMap, regions: Sequence[Box]) -> list[tuple[str, float, str]]:
    """Whole slices through all segments: caption, aspect ratio, picture."""
    values, pictures = [label.value for label in labels.labels], []
    for plane in (AXIAL, CORONAL, SAGITTAL):
        index, frame = screen.slice_through(plane, values), screen.whole_frame(plane)
        picture = slice_picture(screen, plane, index, frame, regions)
        pictures.append((f"{plane.name.capitalize()}, {screen.position(plane, index)}", frame.width / frame.height, picture))
    return pictures


def _facts(prediction: Prediction) -> list[tuple[str, str]]:
    """Provenance in words, its settings spelled out."""
    facts = [(_PROVENANCE_NAMES.get(key, key), value) for key, value in prediction.provenance.items() if key != "DeepSeg.Settings"]
    settings = json.loads(prediction.provenance.get("DeepSeg.Settings", "{}"))
    for key, value in settings.items():
        if key.endswith("roi_ras_mm"):
            side = key.removesuffix("roi_ras_mm").strip("_")
            words = Box.from_json(value).in_words() if value else "the whole image"
            facts.append((f"Region of interest{', ' + side if side else ''}", words))
        else:
            facts.append((key.replace("_", " ").capitalize(), value if isinstance(value, str) else json.dumps(value)))
    return facts


def _times(seconds: dict[str, float]) -> list[tuple[str, str, float]]:
    """Stage, seconds in words and share of the longest stage in percent."""
    longest = max(seconds.values(), default=0.0) or 1.0
    return [(stage, f"{value:.2f} s", 100 * value / longest) for stage, value in seconds.items()]
