"""Two processes that share each batch train as one does."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from deepseg_train.errors import ConfigError
from deepseg_train.training.fit import fit

VALUES = ["training.epochs=3", "training.batch_size=2", "training.precision=32-true", "training.ema_decay=null", "training.validate_every_epochs=3"]


def losses(run: Path) -> list[float]:
    with (run / "logs" / "version_0" / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


def started(config: Path, data: Path, run: Path, *more: str) -> subprocess.CompletedProcess:
    fit = ["-m", "deepseg_train.cli", "fit", "--config", config, "--data", data, "-o", run, "--set", *VALUES]
    return subprocess.run([*more, *map(str, fit)], capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def alone(small_config, msd_folder, tmp_path_factory) -> list[float]:
    run = tmp_path_factory.mktemp("alone") / "run"
    done = started(small_config, msd_folder, run, sys.executable)
    assert done.returncode == 0, done.stderr[-2000:]
    return losses(run)


def test_torchrun_with_two_processes_gives_the_loss_curve_of_one(alone, small_config, msd_folder, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = started(small_config, msd_folder, tmp_path / "run", *launcher)
    assert done.returncode == 0, done.stderr[-2000:]
    assert losses(tmp_path / "run") == pytest.approx(alone, rel=1e-4)


def test_a_batch_that_cannot_be_shared_is_refused(small_config, msd_folder, tmp_path):
    with pytest.raises(ConfigError, match="batch_size is 2, which 3 processes cannot share alike"):
        fit(small_config, msd_folder, tmp_path / "run", processes=3)
