"""The README's table against nnU-Net, from the committed figures of each case:

    python Testing/rival/table.py

`results/runs.json` lists what was trained, in the table's order: {"file": {"title": ..., "minutes": ...}}; `results/<file>.csv` are the rows that
`deepseg-train evaluate --csv` wrote for it. The first one is what the others are compared with.
"""

from __future__ import annotations

import json
from pathlib import Path

from deepseg_train.evaluation import read_rows, summarise
from deepseg_train.evaluation.alignment import aligned, labels_of
from deepseg_train.evaluation.comparison import ALL_LABELS, p_text, paired_lines
from deepseg_train.evaluation.statistics import Interval, holm
from deepseg_train.evaluation.tables import cell, markdown

RESULTS = Path(__file__).parent / "results"
SHOWN = (("dice", "Dice"), ("hd95_mm", "HD95 (mm)"))


def table(results: Path = RESULTS) -> str:
    """Figures with intervals, then the paired tests of mean Dice."""
    runs = json.loads((results / "runs.json").read_text(encoding="utf-8"))
    first, *others = runs
    rows = {name: read_rows(results / f"{name}.csv") for name in runs}
    cases = {row["case"] for row in rows[first]}
    rows |= aligned(first, cases, labels_of(rows[first]), {name: rows[name] for name in others})[0]
    summaries = {name: summarise(found) for name, found in rows.items()}
    labels = list(summaries[first]["labels"])
    heads = ["", "minutes of training", *(f"{title}, {label}" for _, title in SHOWN for label in labels)]
    lines = []
    for name, run in runs.items():
        figures = [cell(key, summaries[name]["labels"][label].get(key), summaries[name]["cases"]) for key, _ in SHOWN for label in labels]
        lines.append([run["title"], f"{run['minutes']:g}", *figures])
    compared = [line for line in paired_lines(rows, ["dice"]) if line.label == ALL_LABELS]
    told = [
        f"{runs[line.model]['title']} against {runs[first]['title']}: mean Dice {_signed(line.result.difference)}, better in {line.better} of "
        f"{line.result.cases} cases, Wilcoxon's p {p_text(line.result.p)}, by Holm {p_text(corrected)}."
        # Mean Dice is the one measure that is tested; what is corrected for is the number of models.
        for line, corrected in zip(compared, holm([line.result.p for line in compared]), strict=True)
    ]
    return markdown(heads, lines) + "\n\n" + "\n".join(f"- {sentence}" for sentence in told)


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


if __name__ == "__main__":
    print(table())
