"""A TRIPOD+AI checklist, filled in from what was run. What only people can know is left to them; nothing is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deepseg import __version__, api
from deepseg.outputs import check_output, write_whole
from deepseg_train.evaluation.calibration_table import NOTE as CALIBRATION_NOTE
from deepseg_train.evaluation.card import told_provenance
from deepseg_train.evaluation.findings import Findings
from deepseg_train.evaluation.measures import MEASURES
from deepseg_train.evaluation.subgroup_table import subgroup_table
from deepseg_train.evaluation.tables import markdown, table
from deepseg_train.evaluation.tripod import ITEMS

TO_FILL = "**For the authors to fill in.**"
_SOURCE = "Collins et al. 2024, TRIPOD+AI statement, BMJ 385:e078378, doi:10.1136/bmj-2023-078378"


def write_checklist(path: Path, found: Findings) -> None:
    """Write it as Markdown; the file appears whole or not at all.

    Raises:
        OutputError: the file cannot be written, or its name does not end in .md.
    """
    check_output(path, (".md",))
    text = checklist(found)
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def checklist(found: Findings) -> str:
    """The checklist as Markdown: a line for each item, and below it the tables it refers to."""
    known = _known(found)
    lines = [[item.number, item.section, item.asked, _told(known.get(item.number, ""))] for item in ITEMS]
    filled = sum(bool(known.get(item.number)) for item in ITEMS)
    title = found.bundle.spec.title if found.bundle else f"label files of {found.name}"
    groups = "".join(f"\n## By {of.column}\n\n{subgroup_table(of)}\n" for of in found.subgroups)
    return f"""# TRIPOD+AI checklist: {title}

Items of {_SOURCE}, in short words. To {filled} of {len(ITEMS)} items something is filled in from what was run, often only a part of what the item
asks for; authors check it and complete it. In the words of the guideline the outcome is the reference segmentation and the predictors are the images.

{markdown(["item", "section", "what is asked", "what is known"], lines)}

## Performance

{table(found.summary)}

{found.summary["cases"]} cases; mean and {found.summary["interval"]}.
{groups}"""


def _told(known: str) -> str:
    return f"{known} {TO_FILL.replace('fill in', 'complete')}" if known else TO_FILL


def _known(found: Findings) -> dict[str, str]:
    """What was run says, by item."""
    parts = [_of_data(found), _of_evaluation(found), *([_of_model(found.bundle)] if found.bundle else [])]
    return {item.number: " ".join(text for part in parts if (text := part.get(item.number, ""))) for item in ITEMS}


def _of_data(found: Findings) -> dict[str, str]:
    dataset, cases = found.dataset, found.cases
    patients = len({case.patient for case in cases})
    labels = ", ".join(label.name for label in found.answers.labels)
    empty = {label.name: _absent(found.rows, label.name) for label in found.answers.labels}
    lacking = ", ".join(f"{name} in {count}" for name, count in empty.items() if count)
    parts = ", ".join(f"{count} {part}" for part, count in found.parts.items())
    evaluated = f"Evaluated: {len(cases)} images of {patients} patients ({found.part})."
    return {
        "5a": f"Evaluated on: {dataset.about.rstrip('.')} ({dataset.format} layout, {len(dataset.cases)} labelled images).",
        "8a": f"Reference labels of the dataset: {labels}.",
        "10": evaluated,
        "11": "No image of those asked for was left out: an image or a label file that is missing or cannot be read stops the evaluation.",
        "12a": f"Cases by part of the split, a patient in one part only: {parts}." if found.parts else "",
        "18e": f"Licence of the data, as the dataset tells it: {dataset.licence}." if dataset.licence else "",
        "20a": f"{evaluated} " + (f"Images without the label: {lacking}." if lacking else "Every label is in every image."),
        "20b": _characteristics(found),
    }


def _of_evaluation(found: Findings) -> dict[str, str]:
    summary = found.summary
    measures = [MEASURES[name].title for name in MEASURES if any(figures[name]["cases"] for figures in summary["labels"].values())]
    dice = "; ".join(f"{name} {_interval(figures['dice'])}" for name, figures in summary["labels"].items())
    columns = ", ".join(groups.column for groups in found.subgroups)
    fairness = f"Compared by {columns}: Dice, HD95, demographic-parity and equalised-odds gaps of voxels, with intervals and p corrected by Holm."
    return {
        "12e": f"{', '.join(measures)}, by label; {summary['interval']}." + (f" Calibration: {CALIBRATION_NOTE}" if found.calibration else ""),
        "12g": f"With deepseg {__version__}, `deepseg-train evaluate`; {found.answers.how}." if found.bundle else "",
        "14": fairness if columns else "",
        "18f": "Code of the evaluation: DeepSeg, Apache-2.0.",
        "21": f"Evaluation: {summary['cases']} images of {summary['patients']} patients.",
        "23a": f"Mean Dice {dice}; all measures below." + (f" By {columns} below." if columns else ""),
    }


def _of_model(bundle: api.ModelBundle) -> dict[str, str]:
    spec = bundle.spec
    made = told_provenance(spec)
    building = "; ".join(f"{key} {made[key]}" for key in made if key not in ("data", "split", "versions"))
    steps = "; ".join(f"{item.name} ({item.modality}): {', '.join(step.scheme for step in item.steps) or 'as it is'}" for item in spec.inputs)
    grid = f"brought to axes {spec.orientation} and {api.spacing_text(spec.spacing_mm)}"
    thresholds = "each voxel gets the labels whose probability is above 0.5" if spec.overlapping else "each voxel gets the most probable label"
    curves = api.reliability(bundle)
    calibrated = bool(spec.calibration_sha256)
    guarded = "The model's calibration flags images and answers that are unlike those it was trained on." if calibrated else ""
    shown = f"; reliability on {curves[0].cases} others" if curves else ""
    return {
        "1": f"Model: {spec.title}.",
        "3b": f"Intended use, as the model tells it: {spec.intended_use}",
        "5a": f"Trained on: {made['data']}." if made.get("data") else "",
        "7": f"Images are {grid}; intensities: {steps}. The same for all images.",
        "9b": f"Input: {', '.join(f'{item.name} ({item.modality}, {item.unit})' for item in spec.inputs)}.",
        "12a": f"Of the training, as the model tells it: {made['split']}." if made.get("split") else "",
        "12b": f"Images are {grid}; intensities: {steps}.",
        "12c": f"{spec.network.name}, window {' x '.join(map(str, spec.window.size))} voxels. {building}.".replace("..", "."),
        "12f": f"Probabilities recalibrated on held-out cases{shown}." if calibrated else "Not recalibrated.",
        "15": f"Probability of each label in each voxel; {thresholds}.",
        "21": f"Training: {made['split']}." if made.get("split") else "",
        "22": f"Model file {spec.id} {spec.version}, SHA-256 {bundle.sha256}; licence of the weights: {spec.licence}.",
        "24": "See the model's card for its calibration before and after." if calibrated else "",
        "27a": guarded,
    }


def _absent(rows: list[dict[str, Any]], label: str) -> int:
    return sum(row["reference_ml"] == 0 for row in rows if row["label"] == label)


def _characteristics(found: Findings) -> str:
    """Of each column of the cases the counts of its values, or the median and range of its numbers."""
    told = []
    for column in found.dataset.columns:
        values = [case.columns.get(column, "") for case in found.cases]
        known = [value for value in values if value]
        missing = f", not known in {len(values) - len(known)}" if len(known) < len(values) else ""
        try:
            numbers = np.array([float(value) for value in known])
        except ValueError:
            numbers = np.array([])
        if len(numbers) and len(set(known)) > 5:
            told.append(f"{column} median {np.median(numbers):g} ({numbers.min():g} to {numbers.max():g}){missing}")
        elif 0 < len(set(known)) <= 12:
            told.append(f"{column} " + ", ".join(f"{value} {known.count(value)}" for value in sorted(set(known))) + missing)
    volumes = []
    for label in found.answers.labels:
        present = [row["reference_ml"] for row in found.rows if row["label"] == label.name]
        volumes.append(f"{label.name} {np.median(present):.3g} mL ({min(present):.3g} to {max(present):.3g})")
    return "; ".join([*told, f"median reference volume (range): {', '.join(volumes)}"]) + "."


def _interval(figures: dict[str, Any]) -> str:
    return f"{figures['mean']:.3f} ({figures['low']:.3f} to {figures['high']:.3f})"
