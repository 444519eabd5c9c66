"""Run folders: made, found again, claimed by one process."""

import json
from dataclasses import replace

import pytest
import yaml

from deepseg_train.config import load_config
from deepseg_train.data import open_dataset
from deepseg_train.errors import ConfigError, DatasetError
from deepseg_train.training.run_folder import LAST, check_inputs, only_one, open_finished, open_run, record_inputs
from deepseg_train.training.versions import versions


def test_a_folder_in_which_nothing_was_trained_is_made_anew(small_config, tmp_path):
    open_run(small_config, tmp_path / "run", {"training.seed": 1})
    assert open_run(small_config, tmp_path / "run", {"training.seed": 2}).training.seed == 2
    (tmp_path / "run" / LAST).parent.mkdir()
    (tmp_path / "run" / LAST).touch()
    assert open_run(small_config, tmp_path / "run", {"training.seed": 2}).training.seed == 2
    with pytest.raises(ConfigError, match="holds a run with another config"):
        open_run(small_config, tmp_path / "run", {"training.seed": 3})


def test_the_folder_holds_the_precision_that_auto_stands_for(small_config, tmp_path):
    config = open_run(small_config, tmp_path / "run", {"training.precision": "auto"})
    assert config.training.precision in ("32-true", "bf16-mixed", "16-mixed")
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["training"]["precision"] == config.training.precision


def test_a_run_without_an_end_is_not_exported(small_config, tmp_path):
    open_run(small_config, tmp_path)
    with pytest.raises(ConfigError, match="holds no trained weights"):
        open_finished(tmp_path)
    (tmp_path / LAST).parent.mkdir()
    (tmp_path / LAST).touch()
    with pytest.raises(ConfigError, match="was not finished; the same `deepseg-train fit` goes on"):
        open_finished(tmp_path)


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with only_one(tmp_path), pytest.raises(ConfigError, match="Another process is training in"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_files_folders_and_models_are_known_by_their_content(small_config, msd_folder, tmp_path):
    case = open_dataset(msd_folder).cases[0]
    series = tmp_path / "series"
    series.mkdir()
    (series / "1.dcm").write_bytes(b"one")
    cases = [replace(case, images=(series,))]
    config = replace(load_config(small_config), start_from="hippocampus-mr")
    record_inputs(tmp_path, cases, config)
    assert set(json.loads((tmp_path / "data.json").read_text())) == {"case_00/image 0", "case_00/label", "start_from"}
    check_inputs(tmp_path, cases, config)
    (series / "1.dcm").write_bytes(b"two")
    with pytest.raises(DatasetError, match=r"1 inputs are not those that .*, the first is case_00/image 0"):
        check_inputs(tmp_path, cases, config)


def test_versions_tell_the_code_and_the_device():
    told = versions()
    assert {"python", "torch", "deepseg-train", "device"} <= set(told)
