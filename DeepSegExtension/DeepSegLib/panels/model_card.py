"""A model in words and figures, as rich text for a label."""

from __future__ import annotations

from html import escape

from DeepSegLib.models import ADDED, IMPORTED, InstalledModel, size_text
from DeepSegLib.translation import _


def card_text(model: InstalledModel) -> str:
    """What it is for, what it outlines, how well, under which licence, how large."""
    card = model.card
    if card.problem:
        return f"<b>{escape(card.problem)}</b>"
    rows = [
        (_("Image"), escape(", ".join(card.inputs))),
        (_("Labels"), ", ".join(f'<span style="color:{_css(label.color)}">&#9632;</span>&nbsp;{escape(label.name)}' for label in card.labels)),
        (_("Accuracy"), _accuracy(model)),
        (_("Licence"), escape(card.licence)),
        (_("Size"), f"{size_text(card.size_bytes)}, {_source(model)}"),
    ]
    table = "".join(f"<tr><td><b>{name}</b>&nbsp;</td><td>{told}</td></tr>" for name, told in rows if told)
    return f"{escape(card.summary)} <i>{escape(card.intended_use)}</i><table>{table}</table>"


def _accuracy(model: InstalledModel) -> str:
    card = model.card
    told = [f"{escape(found.label)} {found.dice:.3f} ({found.low:.3f}-{found.high:.3f})" for found in card.accuracy]
    if not told:
        return _("not measured")
    cases = _(" on {count} cases it had not seen").format(count=card.cases) if card.cases else ""
    return _("Dice {figures}{cases}").format(figures=", ".join(told), cases=cases)


def _source(model: InstalledModel) -> str:
    return {IMPORTED: _("imported by you"), ADDED: _("from a folder you added")}.get(model.source, _("shipped with DeepSeg"))


def _css(color: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)
