"""A search drawn: the Dice of one trial after the other, and against each value that was tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from deepseg_train.search.space import Choices, Range

_COLUMNS = 3
_FINISHED, _STOPPED = "#0072b2", "#e69f00"
_LONGEST_LABEL = 18


def draw(trials: Sequence[FrozenTrial], ranges: Mapping[str, Range], path: Path) -> None:
    """Write a PNG; trials that were stopped early are drawn with their last Dice, failed ones are left out."""
    rows = 1 + math.ceil(len(ranges) / _COLUMNS)
    figure = Figure(figsize=(4 * _COLUMNS, 3.2 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, _COLUMNS)
    shown = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and trial.value is not None]
    _history(figure.add_subplot(grid[0, :]), shown)
    for n, (place, span) in enumerate(ranges.items()):
        _slice(figure.add_subplot(grid[1 + n // _COLUMNS, n % _COLUMNS]), shown, place, span)
    figure.savefig(path, dpi=120, format="png")


def _history(axes: Axes, trials: Sequence[FrozenTrial]) -> None:
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    for state, color, name in ((TrialState.COMPLETE, _FINISHED, "finished"), (TrialState.PRUNED, _STOPPED, "stopped early")):
        of_state = [trial for trial in trials if trial.state == state]
        if of_state:
            axes.plot([t.number for t in of_state], [t.value for t in of_state], "o", color=color, label=name)
    best = np.maximum.accumulate([trial.value for trial in finished])
    axes.step([trial.number for trial in finished], best, where="post", color="black", linewidth=1, label="best so far")
    axes.set(xlabel="trial", ylabel="validation Dice")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="lower right")


def _slice(axes: Axes, trials: Sequence[FrozenTrial], place: str, span: Range) -> None:
    drawn = [trial.params[place] for trial in trials]
    colors = [_FINISHED if trial.state == TrialState.COMPLETE else _STOPPED for trial in trials]
    if isinstance(span, Choices):
        points = span.points()
        drawn = [points.index(value) for value in drawn]
        axes.set_xticks(range(len(points)), [_label(point) for point in points], rotation=20 if len(points) > 2 else 0)
        axes.set_xlim(-0.5, len(points) - 0.5)
    elif span.log:
        axes.set_xscale("log")
    elif span.whole:
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.scatter(drawn, [trial.value for trial in trials], c=colors, alpha=0.7)
    best = max((trial for trial in trials if trial.state == TrialState.COMPLETE), key=lambda trial: trial.value)
    axes.plot(drawn[trials.index(best)], best.value, "o", markersize=13, fillstyle="none", color="black")
    axes.set(xlabel=place, ylabel="validation Dice")


def _label(point: object) -> str:
    text = str(point)
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
