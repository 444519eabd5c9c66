"""A training drawn: its loss and the Dice of the cases it watches, epoch by epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepseg.outputs import write_whole
from deepseg.volume import Label

_LOGS = "logs/version_*/metrics.csv"


def read_logs(run: Path) -> dict[str, dict[int, float]]:
    """What all starts of a run have logged, by key and by epoch, counted from 1; of an epoch that was trained twice the later one counts."""
    values: dict[str, dict[int, float]] = {}
    for path in sorted(run.glob(_LOGS), key=lambda path: int(path.parent.name.partition("_")[2])):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for key, text in row.items():
                    if text and key not in ("epoch", "step"):
                        values.setdefault(key, {})[int(row["epoch"]) + 1] = float(text)
    return values


def draw_curves(values: Mapping[str, dict[int, float]], labels: Sequence[Label], picture: Path) -> None:
    """Write what `read_logs` gave as a PNG."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    loss, dice = figure.subplots(1, 2)
    _line(loss, values.get("train/loss", {}), "black")
    loss.set(xlabel="epoch", title="Loss on training cases")
    for label in labels:
        _line(dice, values.get(f"validation/dice_{label.value}", {}), label.color, label.name)
    _line(dice, values.get("validation/dice", {}), "black", "mean")
    dice.set(xlabel="epoch", title="Dice on validation cases")
    if len(labels) <= 8:
        dice.legend(loc="lower right")
    write_whole(picture, lambda path: figure.savefig(path, dpi=120, format="png"))


def _line(axes: Axes, values: dict[int, float], color: str | tuple[float, float, float], name: str = "") -> None:
    epochs = sorted(values)
    axes.plot(epochs, [values[epoch] for epoch in epochs], color=color, label=name, marker="o" if len(epochs) < 3 else None)
