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
