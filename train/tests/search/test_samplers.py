"""What is tried follows from the seed and a trial's number alone, or from what others found."""

import math

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from deepseg_train.errors import ConfigError
from deepseg_train.search.samplers import grid_size, most_epochs, pruner_of, sampler_of
from deepseg_train.search.space import Choices, Numbers, suggested

RATE = {"rate": Numbers(1e-4, 1e-1, log=True)}
GRID = {"batch": Numbers(2, 4), "filters": Choices(([4, 8], [8, 16])), "share": Numbers(0.0, 0.5, 0.5)}


def study_of(name, ranges, seed=0, storage=None):
    """A study as a process opens it."""
    return optuna.create_study(study_name="s", storage=storage, load_if_exists=True, direction="maximize", sampler=sampler_of(name, seed, ranges))


def tried(study, ranges, count, score=lambda values: 0.5):
    """Values of as many trials."""
    found = []
    for _ in range(count):
        trial = study.ask()
        found.append(suggested(ranges, trial))
        study.tell(trial, score(found[-1]))
    return found


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_a_search_that_is_opened_again_tries_what_it_would_have_tried(name):
    score = lambda values: -abs(math.log10(values["rate"]) + 2)  # noqa: E731
    whole = tried(study_of(name, RATE, seed=3), RATE, 14, score)
    storage = optuna.storages.InMemoryStorage()
    halves = tried(study_of(name, RATE, 3, storage), RATE, 7, score) + tried(study_of(name, RATE, 3, storage), RATE, 7, score)
    assert halves == whole
    assert len({values["rate"] for values in whole}) == 14
    assert tried(study_of(name, RATE, seed=4), RATE, 14, score) != whole


def test_tpe_comes_nearer_to_the_best_than_random_does():
    def off(values):
        return abs(math.log10(values["rate"]) + 2.5)

    means = {}
    for name in ("random", "tpe"):
        late = [off(v) for seed in range(4) for v in tried(study_of(name, RATE, seed), RATE, 30, lambda values: -off(values))[15:]]
        means[name] = sum(late) / len(late)
    # Uniform over three decades, the middle one's centre is 0.79 away on average.
    assert means["random"] == pytest.approx(0.79, abs=0.15)
    assert means["tpe"] < 0.7 * means["random"]


def test_a_grid_is_tried_whole_each_point_once_by_two_processes():
    storage = optuna.storages.InMemoryStorage()
    first, second = (study_of("grid", GRID, storage=storage) for _ in range(2))
    found = []
    while len(found) < grid_size(GRID):
        asked = [(study, study.ask()) for study in (first, second)]
        for study, trial in asked:
            found.append(suggested(GRID, trial))
            # What fails counts as tried.
            study.tell(trial, state=TrialState.FAIL)
    assert grid_size(GRID) == 12
    expected = [{"batch": b, "filters": f, "share": s} for b in (2, 3, 4) for f in ([4, 8], [8, 16]) for s in (0.0, 0.5)]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_a_grid_without_end_is_refused_by_name():
    with pytest.raises(ConfigError, match="rate: a grid needs a step or choices"):
        sampler_of("grid", 0, RATE)


def test_the_median_pruner_waits_for_five_trials_and_a_quarter_of_the_epochs():
    study = optuna.create_study(direction="maximize", pruner=pruner_of("median", 8))
    for finished in range(6):
        trial = study.ask()
        trial.report(0.1, 1)
        assert not trial.should_prune()
        trial.report(0.1, 2)
        assert trial.should_prune() == (finished == 5)
        study.add_trial(create_trial(value=0.9, intermediate_values={1: 0.8, 2: 0.9}))


@pytest.mark.parametrize(
    ("ranges", "most"), [({}, 200), ({"training.epochs": Numbers(4, 40)}, 40), ({"training.epochs": Choices((30, 10)), **RATE}, 30), (RATE, 200)]
)
def test_the_quarter_is_of_the_epochs_that_are_searched(ranges, most):
    assert most_epochs(ranges, 200) == most


def test_without_a_pruner_nothing_is_stopped():
    study = optuna.create_study(direction="maximize", pruner=pruner_of("none", 8))
    for _ in range(6):
        study.add_trial(create_trial(value=0.9, intermediate_values={1: 0.8, 8: 0.9}))
    trial = study.ask()
    trial.report(0.0, 8)
    assert not trial.should_prune()
