"""One trial after the other: which is next, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import BaseFileLock, FileLock, Timeout
from optuna.trial import TrialState

from deepseg.errors import ModelError
from deepseg_train.errors import ConfigError
from deepseg_train.search.callback import TrialReport
from deepseg_train.search.folder import BASE, Search
from deepseg_train.search.space import format_values, suggested
from deepseg_train.training.fit import fit
from deepseg_train.training.run_folder import CACHE

REASON = "reason"


@dataclass(frozen=True, eq=False)
class Claim:
    """A trial that is this process's to run, for as long as it holds the lock; the operating system takes the lock from a process that dies."""

    trial: optuna.Trial
    run: Path
    lock: BaseFileLock


def claim(search: Search, wanted: float) -> Claim | None:
    """The trial to run next: one of this folder that nobody runs any more, or a new one; None where there are `wanted` already."""
    study = search.study
    with search.lock():
        for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            run = search.run_of(left.number)
            lock = _locked(run) if search.alone or run.exists() else None
            if lock is not None:
                print(f"Trial {left.number} was not finished; going on with it.", flush=True)
                return Claim(optuna.Trial(study, left._trial_id), run, lock)
        if sum(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False)) >= wanted:
            return None
        trial = study.ask()
        run = search.run_of(trial.number)
        return Claim(trial, run, _locked(run))


def _locked(run: Path) -> BaseFileLock | None:
    run.mkdir(exist_ok=True)
    lock = FileLock(run / "trial.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def run_trial(search: Search, claimed: Claim, data: Path) -> None:
    """Train, and tell the study how well; what cannot be trained is told as a failed trial.

    Raises:
        ConfigError, ModelError, RuntimeError, ValueError: what the trial failed of.
        DatasetError: the data has problems; the trial goes on when the search does.
    """
    study, trial = search.study, claimed.trial
    values = suggested(search.ranges, trial)
    print(f"Trial {trial.number}: {format_values(values)}", flush=True)
    report = TrialReport(trial, study.get_trials(deepcopy=False)[trial.number].intermediate_values)
    try:
        fit(search.folder / BASE, data, claimed.run, values, cache=search.folder / CACHE, extra_callbacks=[report])
        _finish(study, trial, report)
    except (ConfigError, ModelError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        trial.set_user_attr(REASON, said)
        study.tell(trial, state=TrialState.FAIL)
        print(f"Trial {trial.number} failed: {said}", flush=True)
        raise
    finally:
        claimed.lock.release()


def _finish(study: optuna.Study, trial: optuna.Trial, report: TrialReport) -> None:
    best_dice = max(report.dice.values())
    if report.pruned:
        study.tell(trial, state=TrialState.PRUNED)
        print(
            f"Trial {trial.number} stopped after {max(report.dice)} epochs with Dice {best_dice:.4f}; half of the others had more by then.",
            flush=True,
        )
    else:
        study.tell(trial, best_dice)
        best = study.best_trial
        print(f"Trial {trial.number}: Dice {best_dice:.4f}; the best is trial {best.number} with {best.value:.4f}.", flush=True)
