"""Figures as Markdown tables, for the terminal, model cards and READMEs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepseg_train.evaluation.measures import MEASURES

_BLOCKS = (
    ("dice", "iou", "surface_dice_1mm", "hd95_mm", "assd_mm", "volume_error_percent", "volume_error_ml"),
    ("sensitivity", "specificity", "precision", "auroc", "auprc"),
)
"""A table each: all measures side by side are too wide to read."""


def table(summary: dict[str, Any]) -> str:
    """What `summarise` gave, a line per label: mean (95 % interval). Measures that no case defines are left out."""
    return "\n\n".join(markdown(*block) for block in blocks(summary))


def blocks(summary: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """The same as heads and lines of cells, a table for each block that has anything to show."""
    labels, found = summary["labels"], []
    for block in _BLOCKS:
        shown = [name for name in block if any(figures.get(name, {}).get("cases", 1 if name in figures else 0) for figures in labels.values())]
        if shown:
            lines = [[label, *(cell(name, figures.get(name), summary["cases"]) for name in shown)] for label, figures in labels.items()]
            found.append((["label", *(MEASURES[name].title for name in shown)], lines))
    return found


def cell(measure: str, figures: dict[str, Any] | None, cases: int) -> str:
    """'0.896 (0.882 to 0.908)', with the number of cases where it is not defined in all, or in how many it is infinite."""
    if not figures or not figures.get("cases", cases):
        return "undefined"
    digits, defined = MEASURES[measure].decimals, figures.get("cases", cases)
    among = f", {defined} cases" if defined < cases else ""
    if figures["mean"] is None:
        infinite = f"infinite in {figures['infinite']} of {defined} cases" if figures.get("infinite") else "infinite"
        return infinite if figures.get("median") is None else f"{infinite}, median {figures['median']:.{digits}f}"
    return f"{figures['mean']:.{digits}f} ({figures['low']:.{digits}f} to {figures['high']:.{digits}f}{among})"


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rule = "|" + "---|" * len(heads)
    return "\n".join([_line(heads), rule, *map(_line, lines)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"
