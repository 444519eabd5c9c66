"""A run's folder: everything that is needed to go on with it, to export it and to repeat it."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from deepseg.bundle import sha256_of
from deepseg.outputs import write_whole
from deepseg_train.config import TrainConfig, parse_config
from deepseg_train.config.reading import read_config, with_values
from deepseg_train.data import Case
from deepseg_train.errors import ConfigError, DatasetError

CONFIG, SPLIT, VERSIONS, DATA, CACHE = "config.yaml", "split.json", "versions.json", "data.json", "cache"
_PATIENCE_S = 120
LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"
_PACKAGES = ("torch", "monai", "lightning", "numpy", "SimpleITK", "deepseg", "deepseg-train")


def open_run(config_path: Path, run: Path, values: Mapping[str, Any] | None = None) -> TrainConfig:
    """Make a run's folder with its config and split, so that it stands on its own, or find it again; returns the checked config.

    Args:
        values: set in place of what the config says, by place ('optimizer.learning_rate').

    Raises:
        ConfigError: the config is wrong, or the folder holds a run with another one.
    """
    told = with_values(read_config(config_path), values or {})
    config = parse_config(told, config_path)
    copy = run / CONFIG
    if copy.exists():
        if read_config(copy) != {**told, "split": SPLIT}:
            raise ConfigError(f"{run} holds a run with another config ({copy} differs from {config_path}). Name a new run folder.")
        return parse_config(read_config(copy), copy)
    if not config.split.is_file():
        raise ConfigError(f"There is no split file {config.split}, which {config_path} names. A split's path is relative to its config.")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The run folder {run} cannot be made: {error.strerror}. Name another one with --output.") from error
    shutil.copyfile(config.split, run / SPLIT)
    (run / VERSIONS).write_text(json.dumps(versions(), indent=1), encoding="utf-8")
    # Written last: where it is, the others are.
    copy.write_text(yaml.safe_dump({**told, "split": SPLIT}, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return parse_config(read_config(copy), copy)


def open_finished(run: Path) -> TrainConfig:
    """The config of a run that has weights.

    Raises:
        ConfigError: there are none.
    """
    if not (run / BEST).is_file():
        raise ConfigError(f"{run} holds no trained weights ({BEST}). Name the folder given to `deepseg-train fit --output`.")
    return parse_config(read_config(run / CONFIG), run / CONFIG)


def wait_for_first_process(run: Path) -> None:
    """Of several processes that train together the first makes the run's folder; the others go on when it has.

    Raises:
        ConfigError: it has not within two minutes.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not (run / DATA).exists():
        if time.monotonic() > deadline:
            raise ConfigError(
                f"The first process has made no run folder {run} within {_PATIENCE_S} s. All processes must see the same --output folder."
            )
        time.sleep(0.1)


def versions() -> dict[str, str]:
    """Of Python, the packages that matter, and the git revision of the code where it is a checkout."""
    found = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
    except OSError:
        return found
    return {**found, "git": told.stdout.strip()} if told.returncode == 0 else found


def record_data(run: Path, cases: Sequence[Case]) -> None:
    """Write down the sha256 of every file a run reads; a run that goes on must find the same ones.

    Raises:
        DatasetError: a file differs from what the run began with.
    """
    if (run / DATA).exists():
        check_data(run, cases)
    else:
        # Its being there tells other processes that the folder is ready.
        write_whole(run / DATA, lambda path: path.write_text(json.dumps(_hashes(cases), indent=1), encoding="utf-8"))


def check_data(run: Path, cases: Sequence[Case]) -> None:
    """Compare every file a run reads with what it was.

    Raises:
        DatasetError: a file differs, is new or is missing.
    """
    known, found = json.loads((run / DATA).read_text(encoding="utf-8")), _hashes(cases)
    changed = sorted(key for key in {*known, *found} if known.get(key) != found.get(key))
    if changed:
        raise DatasetError(
            f"{len(changed)} files are not those that the run {run} was trained on, the first is {changed[0]}. Use the data it began with."
        )


def _hashes(cases: Sequence[Case]) -> dict[str, str]:
    files = {f"{case.name}/image {n}": path for case in cases for n, path in enumerate(case.images)}
    files |= {f"{case.name}/label": case.label for case in cases}
    return {name: sha256_of(path) for name, path in files.items()}
