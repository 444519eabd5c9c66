"""A config says what it must, and every slip is named."""

from pathlib import Path

import pytest
import yaml

from deepseg_train.config import load_config
from deepseg_train.config.reading import read_settings, with_values
from deepseg_train.errors import ConfigError
from deepseg_train.training.fit import fit
from deepseg_train.training.run_folder import open_run

from ..conftest import SHIPPED_CONFIG

MR = {"name": "T1", "modality": "MR", "unit": "a.u."}


@pytest.fixture
def shipped() -> dict:
    return yaml.safe_load(SHIPPED_CONFIG.read_text(encoding="utf-8"))


def write(tmp_path, config):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def test_the_shipped_config_is_valid_and_names_two_labels():
    config = load_config(SHIPPED_CONFIG)
    assert [label.name for label in config.spec.labels] == ["Anterior hippocampus", "Posterior hippocampus"]
    assert config.split.is_file()


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path, shipped):
    shipped["optimizer"]["lerning_rate"] = 0.1
    with pytest.raises(ConfigError, match=r"unknown key 'lerning_rate'\. Did you mean 'learning_rate'"):
        load_config(write(tmp_path, shipped))


def test_a_missing_key_is_named(tmp_path, shipped):
    del shipped["split"]
    with pytest.raises(ConfigError, match="lacks split"):
        load_config(write(tmp_path, shipped))


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("schedule", "name", "linear", "expected one of cosine, polynomial, step, constant"),
        ("schedule", "name", "cosin", "Did you mean 'cosine'"),
        ("training", "batch_size", 1.5, "a whole number"),
        ("training", "batch_size", True, "a whole number"),
        ("training", "ema_decay", 1.5, "expected a number between 0 and 1"),
        ("optimizer", "learning_rate", "fast", "expected a number"),
        ("optimizer", "learning_rate", 0, "above 0"),
        ("optimizer", "freeze", "input_block.*", "expected a list"),
        ("optimizer", "rates", {"input_block.*": 0}, "named under freeze"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path, shipped, section, key, value, said):
    shipped[section][key] = value
    with pytest.raises(ConfigError, match=said) as refused:
        load_config(write(tmp_path, shipped))
    assert f"{section}" in str(refused.value) and key in str(refused.value)


@pytest.mark.parametrize("epochs", [2, 3])
def test_a_warm_up_as_long_as_the_training_is_refused(tmp_path, shipped, epochs):
    shipped["training"]["epochs"], shipped["schedule"] = epochs, {"name": "constant", "warmup_epochs": 3}
    with pytest.raises(ConfigError, match=f"warmup_epochs is 3 and training.epochs is {epochs}, .* expected fewer warm-up epochs than epochs"):
        load_config(write(tmp_path, shipped))
    shipped["training"]["epochs"] = 4
    load_config(write(tmp_path, shipped))


@pytest.mark.parametrize(("epochs", "warmup"), [(2, 0.5), (40, 3)])
def test_a_short_training_warms_up_for_a_quarter_of_it(tmp_path, shipped, epochs, warmup):
    del shipped["schedule"]
    shipped["training"]["epochs"] = epochs
    assert load_config(write(tmp_path, shipped)).schedule.warmup_epochs == warmup


def test_numbers_with_an_exponent_are_numbers(tmp_path, shipped):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(shipped).replace("learning_rate: 0.001", "learning_rate: 1e-3"), encoding="utf-8")
    assert load_config(tmp_path / "config.yaml").optimizer.learning_rate == 0.001


def test_what_a_config_leaves_out_is_as_usual(tmp_path, shipped):
    for section in ("training", "optimizer", "schedule", "augmentation"):
        shipped.pop(section)
    assert load_config(write(tmp_path, shipped)).optimizer.name == "adamw"


def test_a_network_without_settings_has_those_of_its_preset(tmp_path, shipped):
    shipped["model"]["network"] = {"name": "SegResNet"}
    kwargs = load_config(write(tmp_path, shipped)).spec.network.kwargs
    assert (kwargs["in_channels"], kwargs["out_channels"]) == (1, 3)


def test_values_are_set_by_their_place(shipped):
    changed = with_values(shipped, read_settings(["optimizer.learning_rate=0.01", "model.network.kwargs.filters=[8, 16]", "training.ema_decay=null"]))
    assert changed["optimizer"] == {**shipped["optimizer"], "learning_rate": 0.01}
    assert changed["model"]["network"]["kwargs"]["filters"] == [8, 16]
    assert changed["training"]["ema_decay"] is None
    assert shipped["optimizer"]["learning_rate"] == 0.001


@pytest.mark.parametrize("said", ["optimizer.learning_rate", "=3", "a=[1"])
def test_a_setting_that_sets_nothing_is_refused(said):
    with pytest.raises(ConfigError, match="expected PLACE=VALUE"):
        read_settings([said])


@pytest.mark.parametrize("key", ["batch_size", "epochs", "validate_every_epochs"])
def test_a_count_of_zero_is_refused(tmp_path, shipped, key):
    shipped["training"][key] = 0
    with pytest.raises(ConfigError, match=f"{key} is 0; expected at least 1"):
        load_config(write(tmp_path, shipped))


def test_a_missing_split_file_is_named_before_anything_is_read(tmp_path, shipped):
    shipped["split"] = "elsewhere.json"
    with pytest.raises(ConfigError, match=r"There is no split file .*elsewhere\.json"):
        fit(write(tmp_path, shipped), tmp_path, tmp_path / "run")


def test_a_model_section_that_breaks_the_schema_is_refused(tmp_path, shipped):
    shipped["model"]["window"]["overlap"] = 1.5
    with pytest.raises(ConfigError, match="overlap"):
        load_config(write(tmp_path, shipped))


def test_a_misspelt_network_is_told_with_the_nearest_one(tmp_path, shipped):
    shipped["model"]["network"]["name"] = "SegResnet"
    with pytest.raises(ConfigError, match=r"There is no network named 'SegResnet' here; .* Did you mean SegResNet\?"):
        load_config(write(tmp_path, shipped))


def test_a_config_says_what_differs_from_its_base_alone(tmp_path, shipped):
    write(tmp_path, shipped).rename(tmp_path / "base.yaml")
    seed = {"base": "base.yaml", "start_from": "somewhere", "training": {"seed": 5}, "model": {"network": {"kwargs": {"dropout": 0.1}}}}
    config = load_config(write(tmp_path, seed))
    assert config.training.seed == 5
    assert config.training.batch_size == shipped["training"]["batch_size"]
    assert config.spec.network.kwargs == {**shipped["model"]["network"]["kwargs"], "dropout": 0.1}
    assert config.start_from == "somewhere"


@pytest.fixture
def models(tmp_path):
    """Model folders, as far as a path tells one: beside a config, beside its base, and in the working directory."""
    for place in ("study/models/ball", "bases/teacher", "elsewhere/here"):
        (tmp_path / place / "configs").mkdir(parents=True)
    return tmp_path


def test_a_models_folder_is_looked_for_beside_the_config_that_names_it(models, shipped, monkeypatch):
    base, config = models / "bases" / "base.yaml", models / "study" / "config.yaml"
    base.write_text(yaml.safe_dump({**shipped, "distillation": {"teacher": "teacher"}}), encoding="utf-8")
    config.write_text(yaml.safe_dump({"base": "../bases/base.yaml", "start_from": "./models/ball"}), encoding="utf-8")
    monkeypatch.chdir(models / "elsewhere")
    read = load_config(config)
    named = [Path(name) for name in (read.start_from, read.distillation.teacher)]
    assert all(path.is_absolute() for path in named)
    assert [path.resolve() for path in named] == [models / "study" / "models" / "ball", models / "bases" / "teacher"]
    assert load_config(config, read_settings(["start_from=hippocampus-mr"])).start_from == "hippocampus-mr"
    # What is set on a command line, and what lies nowhere else, is of the working directory.
    assert read_settings(["start_from=here", "distillation.teacher=./here"]) == {
        "start_from": str(models / "elsewhere" / "here"),
        "distillation.teacher": str(models / "elsewhere" / "here"),
    }
    config.write_text(yaml.safe_dump({**shipped, "start_from": "here"}), encoding="utf-8")
    assert load_config(config).start_from == str(models / "elsewhere" / "here")


def test_a_run_names_its_models_so_that_it_is_repeated_from_anywhere(models, shipped, monkeypatch):
    config = models / "study" / "config.yaml"
    (models / "study" / shipped["split"]).write_text("{}", encoding="utf-8")
    config.write_text(yaml.safe_dump({**shipped, "start_from": "models/ball", "distillation": {"teacher": "hippocampus-mr"}}), encoding="utf-8")
    open_run(config, models / "runs" / "one")
    monkeypatch.chdir(models / "elsewhere")
    again = load_config(models / "runs" / "one" / "config.yaml")
    assert (again.start_from, again.distillation.teacher) == (str(models / "study" / "models" / "ball"), "hippocampus-mr")


@pytest.mark.parametrize(("base", "told"), [("config.yaml", "is its own base"), ("nowhere.yaml", "There is no config .*nowhere.yaml")])
def test_a_base_that_cannot_be_is_named(tmp_path, base, told):
    with pytest.raises(ConfigError, match=told):
        load_config(write(tmp_path, {"base": base}))


def test_every_config_in_the_repository_is_valid():
    for path in SHIPPED_CONFIG.parent.glob("*.yaml"):
        assert load_config(path).split.is_file()


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("labels", None, "labels must be a list; got None"),
        ("labels", ["Front"], r"labels\[0\] must be a mapping; got 'Front'"),
        ("inputs", {"name": "MR"}, "inputs must be a list"),
        ("window", [24, 24, 24], r"window must be a mapping; got \[24, 24, 24\]"),
        ("window.size", 24, "window.size"),
        ("window.siez", [24, 24, 24], r"unknown key 'siez'\. Did you mean 'size'"),
        ("windw", {}, r"unknown key 'windw'\. Did you mean 'window'"),
        ("spacing_mm", 1.0, "spacing_mm"),
        ("output", [1], "output must be a mapping"),
        ("network.kwargs", None, "kwargs"),
        ("network.kwargs.filtres", [8], r"model\.network\.kwargs has an unknown key 'filtres'\. Did you mean 'filters'"),
        ("network", {"name": "ResidualEncoderUNet", "kwargs": {"nonline": "ReLU"}}, r"unknown key 'nonline'\. Did you mean 'nonlin'"),
        ("network", {"name": "SegResNet", "kwargs": {"filters": [8]}}, r"unknown key 'filters'\. .*init_filters"),
        ("network", {"name": "SliceBySlice", "kwargs": {"contxt": 1}}, r"kwargs has an unknown key 'contxt'\. Did you mean 'context'"),
        (
            "network",
            {"name": "SliceBySlice", "kwargs": {"network": "UNet", "kwargs": {"num_res_unit": 2}}},
            r"kwargs\.kwargs has an unknown key 'num_res_unit'\. Did you mean 'num_res_units'",
        ),
        ("network", {"name": "SliceBySlice", "kwargs": {"kwargs": {"filtres": [8]}}}, r"kwargs\.kwargs has an unknown key 'filtres'"),
        ("inputs", [{**MR, "steps": [{"scheme": "zscor"}]}], r"inputs\[0\]\.steps\[0\]\.scheme is 'zscor'; .*Did you mean 'zscore'"),
        ("inputs", [{**MR, "steps": [{}]}], r"steps\[0\]\.scheme is None; expected one of zscore, "),
        (
            "inputs",
            [{**MR, "steps": [{"scheme": "zscore"}, {"scheme": "shift_scale", "parameters": {"shift": 1, "scal": 2}}]}],
            r"steps\[1\]\.parameters has an unknown key 'scal'\. Did you mean 'scale'",
        ),
        ("inputs", [{**MR, "steps": [{"scheme": "shift_scale", "parameters": {"shift": 1}}]}], r"lacks scale, which the scheme shift_scale needs"),
        ("inputs", [{**MR, "steps": [{"scheme": "zscore", "parameters": {"low": 1}}]}], r"unknown key 'low'\. Known: none"),
        ("inputs", [{**MR, "steps": [{"scheme": "zscore", "parameters": [1]}]}], r"parameters must be a mapping; got \[1\]"),
        ("output.activation", "sigmoid", "the labels of a dataset exclude each other"),
        ("crop", "nonzero", "trained on uncropped images only"),
        ("window.slice_context", 0, "network SliceBySlice"),
        ("orientation", "KJI", "expected anatomical axes"),
    ],
)
def test_a_model_that_cannot_be_is_told_with_its_place(tmp_path, shipped, place, value, said):
    *path, key = place.split(".")
    section = shipped["model"]
    for part in path:
        section = section.setdefault(part, {})
    section[key] = value
    if place == "window.slice_context":
        section["size"] = [40, 56, 1]
    with pytest.raises(ConfigError, match=said):
        load_config(write(tmp_path, shipped))
