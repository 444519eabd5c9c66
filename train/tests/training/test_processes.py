"""Two processes that share each batch train as one does."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deepseg_train.errors import ConfigError
from deepseg_train.training.fit import fit

VALUES = ["training.epochs=3", "training.batch_size=2", "training.precision=32-true", "training.ema_decay=null", "training.validate_every_epochs=3"]


def logged(run: Path) -> dict[str, list[float]]:
    """The loss of each epoch, and the Dice of the last one."""
    with (run / "logs" / "version_0" / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {key: [float(row[key]) for row in rows if row[key]] for key in ("train/loss", "validation/dice")}


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def started(
    config: Path, data: Path, run: Path, launcher: Sequence[str] = (sys.executable,), more: Sequence[str] = ()
) -> subprocess.CompletedProcess:
    fit = ["-m", "deepseg_train.cli", "fit", "--config", config, "--data", data, "-o", run, "--set", *VALUES, *more]
    return subprocess.run([*launcher, *map(str, fit)], capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def config(small_config, tmp_path_factory) -> Path:
    """With three cases to validate with, which two processes cannot share alike."""
    folder = tmp_path_factory.mktemp("shared")
    told = json.loads((small_config.parent / "split.json").read_text(encoding="utf-8"))
    told["parts"] |= {"validation": told["parts"]["validation"] + told["parts"]["test"], "test": []}
    (folder / "split.json").write_text(json.dumps(told), encoding="utf-8")
    return Path(shutil.copy(small_config, folder))


@pytest.fixture(scope="module")
def alone(config, msd_folder, tmp_path_factory) -> dict[str, list[float]]:
    run = tmp_path_factory.mktemp("alone") / "run"
    done = started(config, msd_folder, run)
    assert done.returncode == 0, done.stderr[-2000:]
    return logged(run)


@pytest.mark.parametrize(("launcher", "more"), [(TORCHRUN, ()), ([sys.executable], ("--processes", "2"))], ids=["torchrun", "Lightning's launcher"])
def test_two_processes_give_the_curves_of_one(alone, config, msd_folder, tmp_path, launcher, more):
    done = started(config, msd_folder, tmp_path / "run", launcher, more)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "run" / "versions.json").read_text(encoding="utf-8"))["processes"] == "2"
    found = logged(tmp_path / "run")
    assert found["train/loss"] == pytest.approx(alone["train/loss"], rel=1e-4)
    assert found["validation/dice"] == pytest.approx(alone["validation/dice"], abs=0.01)


def test_a_batch_that_cannot_be_shared_is_refused(small_config, msd_folder, tmp_path):
    with pytest.raises(ConfigError, match="batch_size is 2, which 3 processes cannot share alike"):
        fit(small_config, msd_folder, tmp_path / "run", processes=3)
