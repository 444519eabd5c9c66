"""A config says what it must, and every slip is named."""

import pytest
import yaml

from deepseg_train.config import load_config
from deepseg_train.errors import ConfigError
from deepseg_train.fit import fit

from .conftest import SHIPPED_CONFIG


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
    shipped["training"]["lerning_rate"] = 0.1
    with pytest.raises(ConfigError, match=r"unknown key 'lerning_rate'\. Did you mean 'learning_rate'"):
        load_config(write(tmp_path, shipped))


def test_a_missing_key_is_named(tmp_path, shipped):
    del shipped["training"]["seed"]
    with pytest.raises(ConfigError, match="lacks seed"):
        load_config(write(tmp_path, shipped))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("schedule", "linear", "expected one of cosine, polynomial"),
        ("batch_size", 1.5, "a whole number"),
        ("learning_rate", "fast", "expected a number"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path, shipped, key, value, said):
    shipped["training"][key] = value
    with pytest.raises(ConfigError, match=said):
        load_config(write(tmp_path, shipped))


@pytest.mark.parametrize(
    ("section", "changed", "said"),
    [
        ("affine", {"rotate_degree": 15}, r"unknown key 'rotate_degree'\. Did you mean 'rotate_degrees'"),
        ("noise", {"probability": "often"}, "noise.probability is 'often'; expected a number"),
    ],
)
def test_a_slip_within_the_augmentation_is_named(tmp_path, shipped, section, changed, said):
    shipped["augmentation"][section] |= changed
    with pytest.raises(ConfigError, match=said):
        load_config(write(tmp_path, shipped))


@pytest.mark.parametrize("key", ["batch_size", "max_epochs", "validate_every_epochs"])
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


def test_a_config_says_what_differs_from_its_base_alone(tmp_path, shipped):
    write(tmp_path, shipped).rename(tmp_path / "base.yaml")
    seed = {"base": "base.yaml", "start_from": "somewhere", "training": {"seed": 5}, "model": {"network": {"kwargs": {"dropout": 0.1}}}}
    config = load_config(write(tmp_path, seed))
    assert config.training.seed == 5
    assert config.training.batch_size == shipped["training"]["batch_size"]
    assert config.spec.network.kwargs == {**shipped["model"]["network"]["kwargs"], "dropout": 0.1}
    assert config.start_from == "somewhere"


@pytest.mark.parametrize(("base", "told"), [("config.yaml", "is its own base"), ("nowhere.yaml", "cannot be read")])
def test_a_base_that_cannot_be_is_named(tmp_path, base, told):
    with pytest.raises(ConfigError, match=told):
        load_config(write(tmp_path, {"base": base}))


def test_every_config_in_the_repository_is_valid():
    for path in SHIPPED_CONFIG.parent.glob("*.yaml"):
        assert load_config(path).split.is_file()
