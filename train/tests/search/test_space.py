"""Ranges are read as they are meant, and every slip is named before anything is trained."""

import optuna
import pytest

from deepseg_train.config.reading import read_config
from deepseg_train.errors import ConfigError
from deepseg_train.search.space import Choices, Numbers, check_space, read_space, suggested


def test_ranges_are_read_by_place(write_space, tmp_path):
    path = tmp_path / "space.yaml"
    # As people write it: YAML takes a number with an exponent and no point for text.
    path.write_text(
        "optimizer.learning_rate: {low: 1e-4, high: 1e-2, log: true}\n"
        "training.epochs: {low: 10, high: 20, step: 5}\n"
        "model.network.kwargs.filters: {choices: [[16, 32], [32, 64]]}\n",
        encoding="utf-8",
    )
    assert read_space(path) == {
        "optimizer.learning_rate": Numbers(1e-4, 1e-2, log=True),
        "training.epochs": Numbers(10, 20, 5),
        "model.network.kwargs.filters": Choices(([16, 32], [32, 64])),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low": 1, "high": 2, "stepp": 1}, "unknown key 'stepp'. Did you mean 'step'"),
        ({"choice": [1, 2]}, "unknown key 'choice'. Did you mean 'choices'"),
        ({"low": 1}, "lacks high"),
        ({"low": 2, "high": 1}, "low is 2 and high is 1"),
        ({"low": "small", "high": 1}, "low is 'small'; expected a number"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low must be above 0"),
        ({"low": 10, "high": 20, "step": 3}, "step is 3; expected one that leads from 10 to 20"),
        ({"choices": [2]}, "at least two"),
        ({"choices": [[1], 2, [1]]}, "no two of them the same"),
        (0.01, "is 0.01; expected {low"),
    ],
)
def test_a_wrong_range_is_named_with_its_place(write_space, given, said):
    with pytest.raises(ConfigError) as refused:
        read_space(write_space({"optimizer.learning_rate": given}))
    assert "space.yaml: optimizer.learning_rate" in str(refused.value)
    assert said in str(refused.value)


def test_a_space_without_ranges_is_refused(tmp_path):
    (tmp_path / "space.yaml").write_text("- optimizer.learning_rate\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="must map places to ranges"):
        read_space(tmp_path / "space.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_space(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("optimizer.lerning_rate", "unknown key 'lerning_rate'. Did you mean 'learning_rate'"),
        ("optimiser.learning_rate", "unknown key 'optimiser'. Did you mean 'optimizer'"),
        ("model.network.kwargs.filterz", "filterz"),
        ("model.labels.name", "cannot set model.labels.name: model.labels is [{"),
        ("training.epochs", "expected a whole number"),
    ],
)
def test_a_place_that_the_config_does_not_know_is_refused(tiny_config, place, said):
    with pytest.raises(ConfigError) as refused:
        check_space({place: Choices((0.5, 0.25))}, read_config(tiny_config), tiny_config)
    assert said in str(refused.value)


def test_a_space_is_accepted_where_some_of_it_makes_no_sense(tiny_config):
    ranges = {"training.batch_size": Numbers(-5, 2), "optimizer.learning_rate": Numbers(1e-4, 1e-2, log=True)}
    check_space(ranges, read_config(tiny_config), tiny_config)


def test_settings_of_a_network_that_only_make_sense_together_are_accepted(tiny_config):
    """Three stages need three kernels; neither place alone could be changed."""
    two = {"filters": [4, 8], "kernel_size": [3, 3], "strides": [1, 2], "upsample_kernel_size": [2], "deep_supervision": False}
    ranges = {f"model.network.kwargs.{key}": Choices((value, value + value[-1:] if isinstance(value, list) else True)) for key, value in two.items()}
    check_space(ranges, read_config(tiny_config), tiny_config)


def test_what_is_drawn_is_in_its_range_and_of_its_kind():
    ranges = {
        "epochs": Numbers(10, 20, 5),
        "rate": Numbers(1e-4, 1e-2, log=True),
        "share": Numbers(0.1, 0.7, 0.2),
        "filters": Choices(([1, 2], None, "a")),
    }
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggested(ranges, study.ask()) for _ in range(60)]
    assert {values["epochs"] for values in drawn} == {10, 15, 20}
    assert all(isinstance(values["epochs"], int) for values in drawn)
    assert {values["share"] for values in drawn} == {0.1, 0.3, 0.5, 0.7}
    # As many below the geometric middle as above: 30 of 60, 2.6 standard deviations either way.
    assert 20 <= sum(values["rate"] < 1e-3 for values in drawn) <= 40
    assert sorted({str(values["filters"]) for values in drawn}) == ["None", "[1, 2]", "a"]
    assert all(values["filters"] in ([1, 2], None, "a") for values in drawn)


def test_points_of_a_grid():
    assert Numbers(10, 20, 5).points() == [10, 15, 20]
    assert Numbers(2, 4).points() == [2, 3, 4]
    assert Numbers(0.1, 0.7, 0.2).points() == [0.1, 0.3, 0.5, 0.7]
    assert Choices(([1, 2], "a")).points() == ["[1, 2]", "a"]
    for endless in (Numbers(0.0, 1.0), Numbers(1, 1000, log=True)):
        with pytest.raises(ConfigError, match="a grid needs a step or choices"):
            endless.points()
