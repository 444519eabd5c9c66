"""The whole road on a small dataset, as a user goes it: fit, kill, go on, export, evaluate."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from deepseg import api
from deepseg.golden import check_golden
from deepseg_train.cli import main
from deepseg_train.data import open_dataset
from deepseg_train.errors import ConfigError
from deepseg_train.export import export


def words(*arguments: object) -> list[str]:
    return list(map(str, arguments))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "deepseg_train.cli", *words(*arguments)]


def epochs_logged(logs: Path) -> list[int]:
    """Epochs in the log of one start."""
    path = logs / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file) if row["train/loss"]]


@pytest.fixture(scope="module")
def road_config(small_config, tmp_path_factory) -> Path:
    """The small config with all that is random in a run: dropout, mixup, and a process that makes the patches."""
    config = yaml.safe_load(small_config.read_text(encoding="utf-8"))
    config["model"]["network"]["kwargs"]["dropout"] = 0.2
    config["augmentation"]["mixup"] = {"probability": 0.5}
    config["training"]["workers"] = 1
    config["split"] = str(small_config.parent / config["split"])
    path = tmp_path_factory.mktemp("road") / "ball.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished_run(msd_folder, road_config, tmp_path_factory) -> Path:
    """A run that was killed after some epochs and then finished by the same command."""
    run = tmp_path_factory.mktemp("runs") / "ball"
    fit = command("fit", "--config", road_config, "--data", msd_folder, "-o", run)
    first = subprocess.Popen(fit, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not ((run / "checkpoints" / "last.ckpt").exists() and epochs_logged(run / "logs" / "version_0")) and time.monotonic() < deadline:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert first.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    second = subprocess.run(fit, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr[-2000:]
    assert "Going on from" in second.stdout
    return run


def test_a_killed_run_goes_on_and_keeps_what_it_logged(finished_run):
    before, after = (epochs_logged(finished_run / "logs" / f"version_{n}") for n in (0, 1))
    assert before[0] == 0
    assert after == list(range(after[0], 12))
    # The kill may fall between an epoch's log and its checkpoint, or the other way round.
    assert abs(after[0] - (before[-1] + 1)) <= 1 and after[0] > 0


@pytest.fixture(scope="module")
def exported(finished_run, msd_folder, tmp_path_factory) -> Path:
    model = tmp_path_factory.mktemp("models") / "ball"
    done = subprocess.run(command("export", finished_run, "--data", msd_folder, "-o", model), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return model


def test_a_run_that_was_killed_is_reproduced_to_the_bit_by_one_that_was_not(finished_run, msd_folder, tmp_path):
    done = subprocess.run(
        command("reproduce", finished_run, "--data", msd_folder, "-o", tmp_path / "again"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "14 files with the same sha256" in done.stdout
    assert "to the bit" in done.stdout


def test_a_finished_run_is_drawn(finished_run):
    assert (finished_run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_run_stays_as_it_is(finished_run, road_config, msd_folder, capsys):
    before = (finished_run / "checkpoints" / "last.ckpt").read_bytes()
    assert main(words("fit", "--config", road_config, "--data", msd_folder, "-o", finished_run)) == 0
    assert "is finished" in capsys.readouterr().out
    assert (finished_run / "checkpoints" / "last.ckpt").read_bytes() == before


def test_a_changed_file_is_noticed(finished_run, msd_folder, tmp_path, capsys):
    copy = tmp_path / "data"
    shutil.copytree(msd_folder, copy)
    shutil.copyfile(copy / "imagesTr" / "case_01.nii.gz", copy / "imagesTr" / "case_00.nii.gz")
    assert main(words("reproduce", finished_run, "--data", copy, "-o", tmp_path / "again")) == 2
    assert "the first is case_00/image 0" in capsys.readouterr().err


def test_an_exported_model_segments_what_it_learned(finished_run, exported, msd_folder, tmp_path):
    model = exported
    bundle = api.load_model(model)
    assert bundle.spec.metrics["what"] == "Test cases of the run's split (2 patients, not used in training)."
    # Six cases to train on and one that is watched, an image each.
    assert "- training images: 7 files, known by their SHA-256" in (model / "docs" / "README.md").read_text(encoding="utf-8")
    assert check_golden(bundle) < 1e-3
    scores = bundle.spec.metrics["labels"]
    assert all(score["dice"]["mean"] > 0.6 for score in scores.values()), scores
    assert "| Anterior hippocampus |" in (model / "docs" / "README.md").read_text(encoding="utf-8")
    rows = tmp_path / "rows.csv"
    split = finished_run / "split.json"
    told = subprocess.run(
        command("evaluate", model, "--data", msd_folder, "--split", split, "--csv", rows), capture_output=True, text=True, check=True
    )
    assert f"{scores['Anterior hippocampus']['dice']['mean']:.3f}" in told.stdout
    assert len(rows.read_text(encoding="utf-8").splitlines()) == 1 + 2 * 2


def test_a_run_folder_of_another_config_is_refused(finished_run, msd_folder, road_config, tmp_path, capsys):
    other = tmp_path / "other.yaml"
    other.write_text(road_config.read_text(encoding="utf-8").replace("seed: 2026", "seed: 7"), encoding="utf-8")
    assert main(words("fit", "--config", other, "--data", msd_folder, "-o", finished_run)) == 2
    assert "another config" in capsys.readouterr().err


def test_an_existing_model_folder_is_never_overwritten(finished_run, msd_folder, tmp_path, capsys):
    assert main(words("export", finished_run, "--data", msd_folder, "-o", tmp_path)) == 2
    assert "exists already" in capsys.readouterr().err


def changed(config_path: Path, to: Path, **training: object) -> dict:
    """Write the config with other training settings to `to`; returns what was written."""
    config = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    config["training"] |= training
    config["split"] = str(config_path.parent / config["split"])
    to.write_text(yaml.safe_dump(config), encoding="utf-8")
    return config


def test_a_trained_model_is_gone_on_with_and_learns_its_noise(exported, road_config, msd_folder, tmp_path):
    config = changed(road_config, tmp_path / "noise.yaml", epochs=2)
    config["model"]["network"]["name"] = "HeteroscedasticDynUNet"
    config["start_from"] = str(exported)
    (tmp_path / "noise.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    fit = command("fit", "--config", tmp_path / "noise.yaml", "--data", msd_folder, "-o", tmp_path / "run")
    done = subprocess.run(fit, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Starting from {exported}: " in done.stdout
    assert "tensors are its own" in done.stdout
    bundle = export([tmp_path / "run"], msd_folder, tmp_path / "model")
    assert all(score["dice"]["mean"] > 0.6 for score in bundle.spec.metrics["labels"].values())
    assert re.fullmatch(r"ball \([0-9a-f]{12}\)", bundle.spec.provenance["started from"])
    volume, _ = open_dataset(msd_folder).cases[0].read(bundle.spec)
    noisy = api.estimate_uncertainty(volume, bundle, sampler="learned-variance")
    assert noisy.maps["predictive_entropy"].values.max() > 0.1


@pytest.fixture(scope="module")
def ensemble(finished_run, road_config, msd_folder, tmp_path_factory) -> api.ModelBundle:
    folder = tmp_path_factory.mktemp("ensemble")
    fit = command("fit", "--config", road_config, "--data", msd_folder, "-o", folder / "run", "--set", "training.seed=7")
    subprocess.run(fit, capture_output=True, check=True)
    return export([finished_run, folder / "run"], msd_folder, folder / "model")


def test_runs_that_differ_in_their_seed_alone_make_an_ensemble(ensemble, msd_folder):
    assert list(ensemble.spec.weights) == ["member-0.safetensors", "member-1.safetensors"]
    assert ensemble.spec.provenance["seed"] == "2026, 7"
    first, second = (ensemble.build_network(member).state_dict() for member in range(2))
    assert all(not torch.equal(first[name], second[name]) for name in first)
    volume, _ = open_dataset(msd_folder).cases[0].read(ensemble.spec)
    assert api.estimate_uncertainty(volume, ensemble, sampler="ensemble").samples == 2


def test_a_student_of_an_ensemble_tells_its_teacher_and_the_images_of_both(ensemble, road_config, msd_folder, tmp_path):
    """The teacher knows two training cases that the student has not seen."""
    config = changed(road_config, tmp_path / "student.yaml", epochs=2)
    split = json.loads(Path(config["split"]).read_text(encoding="utf-8"))
    split["parts"]["train"] = split["parts"]["train"][:4]
    (tmp_path / "split.json").write_text(json.dumps(split), encoding="utf-8")
    config |= {"split": "split.json", "distillation": {"teacher": str(ensemble.folder), "weight": 0.25}}
    (tmp_path / "student.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    fit = command("fit", "--config", tmp_path / "student.yaml", "--data", msd_folder, "-o", tmp_path / "run")
    subprocess.run(fit, capture_output=True, check=True)
    made = export([tmp_path / "run"], msd_folder, tmp_path / "model").spec.provenance
    assert made["teacher"] == f"model ({ensemble.sha256[:12]}), 25% of the loss"
    assert made["training images"] == ensemble.spec.provenance["training images"]
    assert len(made["training images"]["files"]) == 7
    assert made["split"].startswith("4 train, ")


def test_runs_of_two_models_make_no_ensemble(finished_run, road_config, msd_folder, tmp_path):
    other = tmp_path / "run"
    (other / "checkpoints").mkdir(parents=True)
    for name in ("split.json", "finished.json", "checkpoints/best.ckpt"):
        (other / name).write_bytes((finished_run / name).read_bytes())
    config = yaml.safe_load((finished_run / "config.yaml").read_text(encoding="utf-8"))
    config["model"]["window"] = {"size": [16, 16, 16]}
    (other / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"differs from .* in model; members of an ensemble differ in training\.seed alone"):
        export([finished_run, other], msd_folder, tmp_path / "model")
    with pytest.raises(ConfigError, match="The seed 2026 was used more than once"):
        export([finished_run, finished_run], msd_folder, tmp_path / "model")
