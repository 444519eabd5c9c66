"""Run folders: made, found again, claimed by one process."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
import yaml

from deepseg_train.config import load_config
from deepseg_train.data import open_dataset
from deepseg_train.errors import ConfigError, DatasetError
from deepseg_train.training import processes
from deepseg_train.training.checkpoints import KeptWeights
from deepseg_train.training.fit import fit
from deepseg_train.training.moving_average import MovingAverage
from deepseg_train.training.processes import only_one
from deepseg_train.training.run_folder import BEST, FINISHED, LAST, open_finished, open_run
from deepseg_train.training.run_inputs import check_inputs, record_inputs
from deepseg_train.training.versions import versions


def test_a_folder_in_which_nothing_was_trained_is_made_anew(small_config, tmp_path):
    open_run(small_config, tmp_path / "run", {"training.seed": 1})
    assert open_run(small_config, tmp_path / "run", {"training.seed": 2}).training.seed == 2
    (tmp_path / "run" / LAST).parent.mkdir()
    (tmp_path / "run" / LAST).touch()
    assert open_run(small_config, tmp_path / "run", {"training.seed": 2}).training.seed == 2
    with pytest.raises(ConfigError, match=r"another config: training\.seed is 2 there and 3 here\. Set what was set when it began"):
        open_run(small_config, tmp_path / "run", {"training.seed": 3})
    with pytest.raises(ConfigError, match=r"another config: optimizer\.l1 is not set there and 0\.1 here"):
        open_run(small_config, tmp_path / "run", {"training.seed": 2, "optimizer.l1": 0.1})


def test_a_run_does_not_go_on_with_another_split(small_config, tmp_path):
    open_run(small_config, tmp_path / "run")
    (tmp_path / "run" / LAST).parent.mkdir()
    (tmp_path / "run" / LAST).touch()
    told = json.loads((small_config.parent / "split.json").read_text(encoding="utf-8"))
    told["parts"]["train"], told["parts"]["test"] = told["parts"]["test"], told["parts"]["train"]
    (tmp_path / "split.json").write_text(json.dumps(told), encoding="utf-8")
    config = tmp_path / "config.yaml"
    shutil.copyfile(small_config, config)
    with pytest.raises(ConfigError, match="holds a run on another split"):
        open_run(config, tmp_path / "run")


def test_the_folder_holds_the_precision_that_auto_stands_for(small_config, tmp_path):
    config = open_run(small_config, tmp_path / "run", {"training.precision": "auto"})
    assert config.training.precision in ("32-true", "bf16-mixed", "16-mixed")
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["training"]["precision"] == config.training.precision


def test_a_run_without_an_end_is_not_exported(small_config, tmp_path):
    with pytest.raises(ConfigError, match="nowhere is not there"):
        open_finished(tmp_path / "nowhere")
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


def test_a_start_while_another_process_trains_changes_nothing(small_config, msd_folder, tmp_path):
    run = tmp_path / "run"
    open_run(small_config, run)
    (run / "data.json").write_text("{}", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with only_one(run), pytest.raises(ConfigError, match="Another process is training in"):
        fit(small_config, msd_folder, run, {"training.seed": 99})
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.name != "fit.lock"} == before


@pytest.mark.parametrize("name", ["config.yaml", "split.json"])
def test_a_users_files_are_not_overwritten(small_config, msd_folder, tmp_path, name):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    # Asked twice: the first refusal leaves nothing that would make the folder a run's.
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"holds {name}, which no run has written and a run would overwrite. Name a new folder with --output"):
            fit(small_config, msd_folder, tmp_path)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {name: "mine"}


def test_a_config_does_not_become_its_own_run(small_config, msd_folder, tmp_path):
    config = tmp_path / "config.yaml"
    shutil.copyfile(small_config, config)
    with pytest.raises(ConfigError, match="own config would overwrite the one that was given"):
        fit(config, msd_folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_start_that_failed_of_its_data_is_made_again(small_config, tmp_path):
    for _ in range(2):
        with pytest.raises(DatasetError):
            fit(small_config, tmp_path / "nowhere", tmp_path / "run")
    assert (tmp_path / "run" / "config.yaml").is_file()


def test_no_process_waits_for_a_run_that_is_finished(small_config, msd_folder, tmp_path, monkeypatch):
    """The first one makes no folder then."""
    (tmp_path / FINISHED).write_text("{}", encoding="utf-8")
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "_PATIENCE_S", 0)
    assert fit(small_config, msd_folder, tmp_path) == tmp_path / BEST


def test_versions_a_run_goes_on_with_are_added(small_config, msd_folder, tmp_path, capsys):
    cases, config = open_dataset(msd_folder).cases[:1], load_config(small_config)
    record_inputs(tmp_path, cases, config)
    (tmp_path / LAST).parent.mkdir()
    (tmp_path / LAST).touch()
    record_inputs(tmp_path, cases, config)
    assert capsys.readouterr().out == ""
    for count in (2, 2):
        record_inputs(tmp_path, cases, config, count)
    assert capsys.readouterr().out == "Note: the run goes on with another processes: 1, then 2.\n"
    assert json.loads((tmp_path / "versions.json").read_text(encoding="utf-8"))["processes"] == "1, then 2"


def test_the_best_weights_are_known_in_a_folder_that_was_moved(tmp_path):
    then, now = (KeptWeights(tmp_path / name, "best", monitor="validation/dice", mode="max") for name in ("then", "now"))
    path = str(tmp_path / "then" / "best.ckpt")
    then.best_k_models, then.best_model_path, then.kth_best_model_path = {path: torch.tensor(0.9)}, path, path
    then.kth_value = then.best_model_score = torch.tensor(0.9)
    now.load_state_dict(then.state_dict())
    assert now.best_model_path == now.kth_best_model_path == str(tmp_path / "now" / "best.ckpt")
    assert float(now.best_k_models[now.best_model_path]) == float(now.best_model_score) == pytest.approx(0.9)


def test_an_average_leaves_whole_numbers_alone():
    """Tables of places, as SwinUNETR has them; an average of 11 may become 10.999999, and that 10."""
    network = torch.nn.Linear(2, 2)
    network.register_buffer("places", torch.arange(3000))
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True, **MovingAverage(0.9999)._kwargs)
    for _ in range(3):
        averaged.update_parameters(network)
    assert torch.equal(averaged.module.places, network.places)
    with torch.no_grad():
        network.weight += 1
    before = averaged.module.weight.detach().clone()
    averaged.update_parameters(network)
    assert float((averaged.module.weight.detach() - before).mean()) == pytest.approx(1 - 4 / 13, rel=0.01)


def test_an_average_forgets_where_a_training_began():
    network = torch.nn.Linear(1, 1, bias=False)
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True, **MovingAverage(0.998)._kwargs)
    changes = []
    for step in range(6000):
        network.weight.data.fill_(float(step >= 3))
        averaged.update_parameters(network)
        changes.append(float(averaged.module.weight.detach()))
    assert changes[2] == 0
    assert changes[36] > 0.99, "a training of 36 steps"
    network.weight.data.fill_(2)
    averaged.update_parameters(network)
    assert float(averaged.module.weight.detach()) == pytest.approx(1 + 0.002, abs=1e-5), "a long one goes by the decay alone"


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
