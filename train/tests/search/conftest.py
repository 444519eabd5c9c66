"""A config that trains in a second, and ranges of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="module")
def tiny_config(small_config, tmp_path_factory) -> Path:
    """The small config with still less to do."""
    config = yaml.safe_load(small_config.read_text(encoding="utf-8"))
    config["model"]["network"]["kwargs"]["filters"] = [4, 8, 8]
    config["training"] |= {"epochs": 2, "validate_every_epochs": 1, "precision": "32-true"}
    config["split"] = str(small_config.parent / config["split"])
    path = tmp_path_factory.mktemp("tiny") / "tiny.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture
def write_space(tmp_path) -> Callable[[dict], Path]:
    def write(ranges: dict) -> Path:
        path = tmp_path / "space.yaml"
        path.write_text(yaml.safe_dump(ranges), encoding="utf-8")
        return path

    return write
