"""A report on one evaluation: a single HTML file with tables, plots and the worst cases. It loads nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from deepseg import __version__, api
from deepseg.outputs import check_output, write_whole
from deepseg.pictures import css_color, need
from deepseg.report_doubt import reliability_diagram
from deepseg_train.evaluation.calibration_table import NOTE as CALIBRATION_NOTE
from deepseg_train.evaluation.calibration_table import calibration_cells
from deepseg_train.evaluation.card import told_provenance
from deepseg_train.evaluation.comparison import comparison_cells, comparison_note, paired_lines
from deepseg_train.evaluation.findings import Findings
from deepseg_train.evaluation.measures import SURFACE_TOLERANCE_MM
from deepseg_train.evaluation.plots import bland_altman, dice_against_volume, distributions, samples
from deepseg_train.evaluation.subgroup_table import NOTE, group_cells, question_cells
from deepseg_train.evaluation.tables import blocks
from deepseg_train.evaluation.worst_cases import PREDICTED, REFERENCE, worst_cases


def write_report(path: Path, found: Findings) -> None:
    """Write the report; the file appears whole or not at all.

    Raises:
        OutputError: the file cannot be written, or its name does not end in .html.
        DatasetError: a case cannot be read any more.
        DeepSegError: a package that plots and pictures need is missing.
    """
    check_output(path, (".html",))
    page = render(found)
    write_whole(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def render(found: Findings) -> str:
    """The report as HTML text; errors as `write_report`."""
    jinja2 = need("jinja2")
    source = Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    by_label = samples(found.rows, found.answers.labels)
    lines = paired_lines({found.name: found.rows, **found.others}) if found.others else []
    return environment.from_string(source).render(
        title=found.bundle.spec.title if found.bundle else f"Label files of {found.name}",
        headline=headline(found.summary),
        dataset=found.dataset.about,
        part=found.part,
        summary=found.summary,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        tables=blocks(found.summary),
        tolerance=SURFACE_TOLERANCE_MM,
        labels=[(label.name, css_color(label.color)) for label in found.answers.labels],
        plots={"distributions": distributions(by_label), "sizes": dice_against_volume(by_label), "volumes": bland_altman(by_label)},
        outlines=[(label.name, css_color(label.color)) for label in (REFERENCE, PREDICTED)],
        worst=worst_cases(found),
        subgroups=[(groups.column, group_cells(groups), question_cells(groups), groups.unknown) for groups in found.subgroups],
        subgroup_note=NOTE,
        comparison=comparison_cells(found.name, lines) if lines else None,
        comparison_note=comparison_note(found.name, lines) if lines else "",
        calibration=calibration_cells(found.calibration) if found.calibration else None,
        calibration_note=CALIBRATION_NOTE,
        curves=_reliability(found),
        spec=found.bundle.spec if found.bundle else None,
        facts=_facts(found),
    )


def headline(summary: dict[str, Any]) -> str:
    """The result in one plain sentence."""
    told = []
    for name, figures in summary["labels"].items():
        dice = figures["dice"]
        told.append(f"{name} {dice['mean']:.3f} (95 % interval {dice['low']:.3f} to {dice['high']:.3f})")
    shown = told[:4] + ([f"and {len(told) - 4} more labels"] if len(told) > 4 else [])
    return f"Mean Dice over {summary['cases']} cases: {'; '.join(shown)}."


def _reliability(found: Findings) -> list[tuple[str, str]]:
    """Diagrams with what they show: of the evaluated cases, and of those that the model was calibrated with."""
    shown = [(f"{label}, the {len(found.cases)} cases of this report", methods) for label, methods in found.calibration.get("curves", {}).items()]
    of_label: dict[str, dict[str, dict[str, tuple[float, ...]]]] = {}
    for curve in api.reliability(found.bundle) if found.bundle else ():
        words = f"{curve.label}, when the model was calibrated, on {curve.cases} cases held out for it"
        of_label.setdefault(words, {})[curve.method] = {"promised": curve.predicted, "observed": curve.observed}
    return [(words, reliability_diagram(methods)) for words, methods in [*shown, *of_label.items()]]


def _facts(found: Findings) -> list[tuple[str, str]]:
    """How the report came about."""
    told = [("Data", found.dataset.about), ("Folder", found.dataset.folder.resolve().name), ("Cases", f"{len(found.cases)}, {found.part}")]
    if found.bundle:
        spec = found.bundle.spec
        told += [("Model", f"{spec.title} ({spec.id} {spec.version})"), ("Model SHA-256", found.bundle.sha256)]
        told += [(f"Model: {key}", value) for key, value in told_provenance(spec).items()]
    return [*told, ("DeepSeg version", __version__), ("Answers", found.answers.how), ("Command", "deepseg-train evaluate")]
