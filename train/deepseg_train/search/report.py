"""What a search found, to be read: a table of its trials, what mattered, and the best as a config."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import optuna
import yaml
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from deepseg.outputs import write_whole
from deepseg_train.config.reading import with_values
from deepseg_train.search.figure import draw
from deepseg_train.search.folder import BASE, Search
from deepseg_train.search.trials import REASON

BEST, TABLE, FIGURE = "best.yaml", "search.md", "search.png"
_SHOWN = 10
_ENOUGH = 20
"""Finished trials from which on importance is told; with fewer, chance decides it."""
_STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed", TrialState.RUNNING: "not finished"}


def report(search: Search) -> str:
    """Write the table, the figure and the best trial's config into the search's folder; returns the table in Markdown."""
    trials = search.study.get_trials(deepcopy=False)
    finished = ranked(trials)
    text = _text(search, trials, finished)
    write_whole(search.folder / TABLE, lambda path: path.write_text(text, encoding="utf-8"))
    if finished:
        write_whole(search.folder / FIGURE, lambda path: draw(trials, search.ranges, path))
        _write_best(search, finished[0])
    return text


def ranked(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Finished trials, the best first."""
    return sorted((trial for trial in trials if trial.state == TrialState.COMPLETE), key=lambda trial: -trial.value)


def failed_alone(search: Search) -> bool:
    """Whether trials have failed and none has come to its end."""
    states = {trial.state for trial in search.study.get_trials(deepcopy=False)}
    return TrialState.FAIL in states and not states & {TrialState.COMPLETE, TrialState.PRUNED}


def _text(search: Search, trials: list[FrozenTrial], finished: list[FrozenTrial]) -> str:
    counts = Counter(trial.state for trial in trials)
    told = ", ".join(f"{counts[state]} {name}" for state, name in _STATES.items() if counts[state]) or "none yet"
    lines = [f"# Search {search.study.study_name}", "", f"Trials: {told}."]
    if finished:
        lines += _best(search, finished)
    if len(finished) >= _ENOUGH and len(search.ranges) > 1:
        lines += _importance(search.study)
    if counts[TrialState.FAIL]:
        lines += _failed(trials)
    return "\n".join(lines) + "\n"


def _best(search: Search, finished: list[FrozenTrial]) -> list[str]:
    places = list(search.ranges)
    lines = ["", "## The best trials", "", _row(["trial", "validation Dice", "epochs", *places]), _row(["---:"] * 3 + ["---"] * len(places))]
    for trial in finished[:_SHOWN]:
        lines.append(_row([trial.number, f"{trial.value:.4f}", trial.last_step, *(_short(trial.params[place]) for place in places)]))
    run = search.run_of(finished[0].number)
    lines += ["", f"`{search.folder / BEST}` holds the best values for `deepseg-train fit`; what they gave is the run `{run}`."]
    return [*lines, "", f"![Dice of each trial, and by each value]({FIGURE})"]


def _importance(study: optuna.Study) -> list[str]:
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    intro = "Shares in the variance of the Dice that the places explain one by one (fANOVA, Hutter et al. 2014)."
    lines = ["", "## What mattered", "", intro, "", _row(["place", "importance"]), _row(["---", "---:"])]
    return lines + [_row([place, f"{share:.2f}"]) for place, share in found.items()]


def _failed(trials: list[FrozenTrial]) -> list[str]:
    numbers: dict[str, list[str]] = {}
    for trial in trials:
        if trial.state == TrialState.FAIL:
            numbers.setdefault(trial.user_attrs[REASON], []).append(str(trial.number))
    return ["", "## Failed trials", "", *(f"- {', '.join(those)}: {reason}" for reason, those in numbers.items())]


def _row(cells: list[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


def _write_best(search: Search, best: FrozenTrial) -> None:
    values = {place: span.value_of(best.params[place]) for place, span in search.ranges.items()}
    text = f"# Trial {best.number} of the search: validation Dice {best.value:.4f}.\n"
    text += yaml.safe_dump(with_values({"base": BASE}, values), sort_keys=False, allow_unicode=True)
    write_whole(search.folder / BEST, lambda path: path.write_text(text, encoding="utf-8"))
