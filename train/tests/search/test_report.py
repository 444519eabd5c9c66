"""What a search found is told right; its trials are written down here, none is trained."""

import re

import optuna
import pytest
import yaml
from optuna.trial import TrialState, create_trial

from deepseg_train.config import load_config
from deepseg_train.config.reading import read_config
from deepseg_train.errors import ConfigError
from deepseg_train.search.folder import SearchSettings, find_search, open_folder, open_search
from deepseg_train.search.report import report

RATE, FILTERS, WARMUP = "optimizer.learning_rate", "model.network.kwargs.filters", "schedule.warmup_epochs"
SPACE = {RATE: {"low": 0.01, "high": 0.5}, FILTERS: {"choices": [[4, 8, 8], [8, 16, 16]]}, WARMUP: {"low": 0, "high": 2}}
DRAWN = {
    RATE: optuna.distributions.FloatDistribution(0.01, 0.5),
    FILTERS: optuna.distributions.CategoricalDistribution(("[4, 8, 8]", "[8, 16, 16]")),
    WARMUP: optuna.distributions.IntDistribution(0, 2),
}


@pytest.fixture(scope="module")
def told_search(tiny_config, tmp_path_factory):
    """Thirty trials whose Dice is one less their learning rate, one that was stopped and three that failed of two reasons."""
    folder = tmp_path_factory.mktemp("search")
    space = folder / "space.yaml"
    space.write_text(yaml.safe_dump(SPACE, sort_keys=False), encoding="utf-8")
    open_folder(folder / "s", read_config(tiny_config), load_config(tiny_config).split, space)
    search = open_search(folder / "s", None, SearchSettings())
    for n in range(30):
        params = {RATE: 0.01 + 0.49 * (n * 11 % 30) / 30, FILTERS: ("[4, 8, 8]", "[8, 16, 16]")[n % 2], WARMUP: n // 2 % 3}
        search.study.add_trial(create_trial(value=1 - params[RATE], params=params, distributions=DRAWN, intermediate_values={2: 1 - params[RATE]}))
    search.study.add_trial(create_trial(state=TrialState.PRUNED, params=params, distributions=DRAWN, intermediate_values={1: 0.2}, value=0.2))
    for reason in ("no room", "no sense", "no room"):
        search.study.add_trial(create_trial(state=TrialState.FAIL, params=params, distributions=DRAWN, user_attrs={"reason": reason}))
    return search


def test_the_ten_best_are_told_in_order(told_search):
    text = report(told_search)
    assert "Trials: 30 finished, 1 stopped early, 3 failed." in text
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| 2 \| ([\d.]+) \| (\[.*?\]) \| (\d) \|$", text, re.MULTILINE)
    # 11 n modulo 30 is 0, 1, 2 for n = 0, 11, 22.
    assert rows[:3] == [
        ("0", "0.9900", "0.01", "[4, 8, 8]", "0"),
        ("11", "0.9737", "0.02633", "[8, 16, 16]", "2"),
        ("22", "0.9573", "0.04267", "[4, 8, 8]", "2"),
    ]
    assert len(rows) == 10


def test_what_matters_is_told_from_twenty_trials_on(told_search):
    shares = dict(re.findall(r"^\| ([a-z_.]+) \| (\d\.\d\d) \|$", report(told_search), re.MULTILINE))
    assert set(shares) == set(SPACE)
    assert float(shares[RATE]) > 0.9


def test_failures_are_told_by_reason(told_search):
    assert report(told_search).endswith("- 31, 33: no room\n- 32: no sense\n")


def test_the_best_values_are_a_config_that_can_be_trained(told_search):
    report(told_search)
    best = load_config(told_search.folder / "best.yaml")
    assert best.optimizer.learning_rate == 0.01
    assert best.spec.network.kwargs["filters"] == [4, 8, 8]
    assert best.schedule.warmup_epochs == 0
    assert best.split.is_file()
    # All else is the config's.
    assert best.training == load_config(told_search.folder / "base.yaml").training


def test_a_storage_that_cannot_be_used_is_named(told_search, tmp_path):
    storages = {f"sqlite:///{tmp_path}/none/trials.db": "unable to open", "nothing://here": "cannot be used", str(tmp_path / "new"): "no search 's'"}
    for storage, said in storages.items():
        with pytest.raises(ConfigError, match=said):
            find_search(told_search.folder, storage)
