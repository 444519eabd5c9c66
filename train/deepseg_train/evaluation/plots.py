"""Plots of an evaluation, as inline SVG whose colours follow the page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deepseg import api
from deepseg.pictures import css_color
from deepseg_train.evaluation.measures import MEASURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _SOFT, _LINE = "#010203", "#040506", "#070809"
"""Stand for the page's own colours, which change with light and dark."""
_PAGE = {_INK: "var(--ink)", _SOFT: "var(--soft)", _LINE: "var(--line)"}
_DISTRIBUTIONS = ("dice", "surface_dice_1mm", "hd95_mm")
_MOST_PANELS = 6


@dataclass(frozen=True, eq=False)
class Sample:
    """One label's values over the cases; arrays (N) by the name of the row's column."""

    label: api.Label
    values: dict[str, np.ndarray]


def samples(rows: Sequence[dict[str, Any]], labels: Sequence[api.Label]) -> list[Sample]:
    """The rows by label."""
    keys = (*_DISTRIBUTIONS, "predicted_ml", "reference_ml")
    found = {label.name: [row for row in rows if row["label"] == label.name] for label in labels}
    return [Sample(label, {key: np.array([row[key] for row in found[label.name]]) for key in keys}) for label in labels]


def distributions(found: Sequence[Sample]) -> str:
    """A box over the quartiles and a dot for each case, by label; what is infinite is drawn as a triangle at the edge."""
    figure = _figure(9.4, 0.9 + 0.55 * len(found))
    rng = np.random.default_rng(0)
    axes = figure.subplots(1, len(_DISTRIBUTIONS), sharey=True, squeeze=False)[0]
    for ax, measure in zip(axes, _DISTRIBUTIONS, strict=True):
        _plain(ax)
        ax.set_xlabel(MEASURES[measure].title)
        for n, sample in enumerate(found):
            values = sample.values[measure]
            finite = values[np.isfinite(values)]
            if len(finite):
                line = {"color": _SOFT, "linewidth": 1.1}
                parts = {"boxprops": line, "whiskerprops": line, "capprops": line, "medianprops": {"color": _INK, "linewidth": 2}}
                ax.boxplot(finite, positions=[n], orientation="horizontal", widths=0.55, showfliers=False, **parts)
            color = css_color(sample.label.color)
            ax.scatter(finite, n + rng.uniform(-0.18, 0.18, len(finite)), s=14, color=color, alpha=0.75, linewidths=0, zorder=3)
            lost = int(np.isinf(values).sum())
            if lost:
                ax.scatter(np.full(lost, 1.0), np.full(lost, n), transform=ax.get_yaxis_transform(), marker=">", s=34, color=color, clip_on=False)
    axes[0].set_yticks(range(len(found)), [sample.label.name for sample in found])
    axes[0].set_ylim(len(found) - 0.4, -0.6)
    return _svg(figure, "Distributions of Dice, surface Dice and HD95 by label")


def dice_against_volume(found: Sequence[Sample]) -> str:
    """Dice of each case against the reference's volume, whether small ones are harder."""
    figure = _figure(4.6, 3.3)
    ax = figure.subplots()
    _plain(ax)
    for sample in found:
        ax.scatter(sample.values["reference_ml"], sample.values["dice"], s=18, color=css_color(sample.label.color), alpha=0.8, linewidths=0)
    _log_where_wide(ax, np.concatenate([sample.values["reference_ml"] for sample in found]))
    ax.set_xlabel("reference volume (mL)")
    ax.set_ylabel("Dice")
    return _svg(figure, "Dice against the reference's volume")


def bland_altman(found: Sequence[Sample]) -> str:
    """Difference of volumes against their mean, with the mean difference and the limits of agreement (Bland and Altman 1986), a panel a label.

    Of more than six labels those are shown whose mean Dice is lowest.
    """
    chosen = sorted(found, key=lambda sample: sample.values["dice"].mean())[:_MOST_PANELS]
    chosen = [sample for sample in found if sample in chosen]
    columns = min(len(chosen), 3)
    rows = -(-len(chosen) // columns)
    figure = _figure(4.6 if columns == 1 else 9.4, 3.1 * rows)
    for ax, sample in zip(figure.subplots(rows, columns, squeeze=False).ravel(), chosen, strict=False):
        _plain(ax)
        predicted, reference = sample.values["predicted_ml"], sample.values["reference_ml"]
        difference = predicted - reference
        ax.scatter((predicted + reference) / 2, difference, s=18, color=css_color(sample.label.color), alpha=0.8, linewidths=0)
        ax.axhline(0, color=_LINE, linewidth=1)
        middle, spread = difference.mean(), difference.std(ddof=1) if len(difference) > 1 else 0.0
        for at, style, words in ((middle, "-", "mean"), (middle - 1.96 * spread, "--", "-1.96 SD"), (middle + 1.96 * spread, "--", "+1.96 SD")):
            ax.axhline(at, color=_INK, linewidth=1.1, linestyle=style)
            ax.annotate(f"{words}\n{at:+.2g}", (1.02, at), xycoords=ax.get_yaxis_transform(), va="center", fontsize=8, color=_SOFT)
        ax.set_title(sample.label.name, fontsize=10, color=_INK, loc="left")
        ax.set_xlabel("mean of both volumes (mL)")
        ax.set_ylabel("predicted - reference (mL)")
    for ax in figure.axes[len(chosen) :]:
        ax.set_visible(False)
    return _svg(figure, "Bland-Altman plot of volumes")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure((width, height), layout="constrained")


def _plain(ax: Axes) -> None:
    """Two thin axes and small letters in the page's colours."""
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_SOFT)
    ax.tick_params(colors=_SOFT, labelsize=9)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_color(_SOFT)
        axis.label.set_size(9)
    ax.grid(color=_LINE, linewidth=0.7)
    ax.set_axisbelow(True)


def _log_where_wide(ax: Axes, volumes: np.ndarray) -> None:
    volumes = volumes[volumes > 0]
    if len(volumes) and volumes.max() > 20 * volumes.min():
        ax.set_xscale("log")


def _svg(figure: Figure, words: str) -> str:
    """The figure as an element of the page; its letters stay letters."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": words, "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for color, variable in _PAGE.items():
        drawn = drawn.replace(color, variable)
    # The page sets the size and the letters' family.
    drawn = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", drawn.replace("\n", " "), count=1)
    drawn = re.sub(r"<svg [^>]*?>", lambda found: found[0][:-1] + f' class="plot" role="img" aria-label="{words}">', drawn, count=1)
    # Matplotlib's rule for all elements would reach the whole page.
    return re.sub(r"<metadata>.*?</metadata>", "", drawn).replace("*{stroke", "svg.plot *{stroke")
