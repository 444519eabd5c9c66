"""Which values a trial tries: at random, on a grid, or where others were good (TPE, Bergstra et al. 2011)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from deepseg_train.errors import ConfigError
from deepseg_train.search.space import Numbers, Range

_UNPRUNED_TRIALS = 5


class SeededByTrial(BaseSampler):
    """A new sampler for each trial, made from its number.

    So a search that goes on does not draw again what it drew at its start, machines that share a search draw different values, and trial 7 of a
    random search tries the same whoever runs it.
    """

    def __init__(self, make: Callable[[int], BaseSampler]) -> None:
        self._make = make
        self._of_trial = make(0)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._of_trial = self._make(trial.number)
        self._of_trial.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._of_trial.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return self._of_trial.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return self._of_trial.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Nothing: the grid's own would stop Optuna's loop, which is not used here."""


def sampler_of(name: str, seed: int, ranges: Mapping[str, Range]) -> BaseSampler:
    """Optuna's sampler for 'tpe', 'random' or 'grid'.

    Raises:
        ConfigError: a grid is asked for and a range is continuous.
    """
    if name == "grid":
        points = _points(ranges)
        return SeededByTrial(lambda number: GridSampler(points, seed))
    made = TPESampler if name == "tpe" else RandomSampler
    return SeededByTrial(lambda number: made(seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0])))


def grid_size(ranges: Mapping[str, Range]) -> int:
    """How many combinations a grid has.

    Raises:
        ConfigError: a range is continuous.
    """
    return math.prod(len(points) for points in _points(ranges).values())


def _points(ranges: Mapping[str, Range]) -> dict[str, list[Any]]:
    found = {}
    for place, span in ranges.items():
        try:
            found[place] = span.points()
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error
    return found


def most_epochs(ranges: Mapping[str, Range], epochs: int) -> int:
    """Of any trial: `epochs` as the config says, or the most that the search may set."""
    span = ranges.get("training.epochs")
    if span is None:
        return epochs
    return int(span.high) if isinstance(span, Numbers) else max(span.choices)


def pruner_of(name: str, epochs: int) -> BasePruner:
    """Optuna's pruner for 'median' or 'none'; 'median' stops a trial whose best Dice so far is below the median of the finished ones at that epoch.

    It waits for five finished trials, and in each for a quarter of the epochs, because the learning rate rises at different speeds. Where trials
    differ in their number of epochs, the largest one counts.
    """
    return MedianPruner(_UNPRUNED_TRIALS, n_warmup_steps=epochs // 4) if name == "median" else NopPruner()
