"""The whole road on a small dataset, as a user goes it: fit, kill, go on, export, evaluate."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepseg import api
from deepseg.golden import check_golden


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "deepseg_train.cli", *map(str, arguments)]


def epochs_logged(logs: Path) -> list[int]:
    """Epochs in the log of one start."""
    path = logs / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file) if row["train/loss"]]


@pytest.fixture(scope="module")
def finished_run(msd_folder, small_config, tmp_path_factory) -> Path:
    """A run that was killed after some epochs and then finished by the same command."""
    run = tmp_path_factory.mktemp("runs") / "ball"
    fit = command("fit", "--config", small_config, "--data", msd_folder, "--run", run)
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


def test_an_exported_model_segments_what_it_learned(finished_run, msd_folder, tmp_path):
    model = tmp_path / "ball"
    done = subprocess.run(command("export", finished_run, "--data", msd_folder, "-o", model), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    bundle = api.load_model(model)
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


def test_a_run_folder_of_another_config_is_refused(finished_run, msd_folder, small_config, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(small_config.read_text(encoding="utf-8").replace("seed: 2026", "seed: 7"), encoding="utf-8")
    done = subprocess.run(command("fit", "--config", other, "--data", msd_folder, "--run", finished_run), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "another config" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_existing_model_folder_is_never_overwritten(finished_run, msd_folder, tmp_path):
    done = subprocess.run(command("export", finished_run, "--data", msd_folder, "-o", tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "exists already" in done.stderr
