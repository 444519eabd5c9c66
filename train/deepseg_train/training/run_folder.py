"""A run's folder: everything that is needed to go on with it, to export it and to repeat it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from deepseg.api import ModelBundle, load_model
from deepseg.bundle import sha256_of
from deepseg.errors import ModelError
from deepseg.outputs import write_whole
from deepseg_train.config import TrainConfig, parse_config
from deepseg_train.config.reading import read_config, with_values
from deepseg_train.data import Case
from deepseg_train.data.seen import Seen, content_sha256
from deepseg_train.errors import ConfigError, DatasetError
from deepseg_train.training.versions import fastest_precision, versions

CONFIG, SPLIT, VERSIONS, DATA, SEEN, CACHE = "config.yaml", "split.json", "versions.json", "data.json", "seen.json", "cache"
LAST, BEST, CURVES, FINISHED = "checkpoints/last.ckpt", "checkpoints/best.ckpt", "curves.png", "finished.json"
_PATIENCE_S = 120
_THEN = ", then "
_IMAGE, _READY = "/image ", "ready"


def open_run(config_path: Path, run: Path, values: Mapping[str, Any] | None = None) -> TrainConfig:
    """Make a run's folder with its config and split, so that it stands on its own, or find it again; returns the checked config.

    A folder in which nothing was trained yet is made anew.

    Args:
        values: set in place of what the config says, by place ('optimizer.learning_rate').

    Raises:
        ConfigError: the config is wrong, or the folder holds a run with another one.
    """
    told = with_values(read_config(config_path), values or {})
    config = parse_config(told, config_path)
    copy = run / CONFIG
    kept = {**told, "split": SPLIT}
    if (run / LAST).exists():
        found = read_config(copy)
        if config.training.precision == "auto":
            kept = with_values(kept, {"training.precision": found["training"]["precision"]})
        if found != kept:
            raise ConfigError(f"{run} holds a run with another config ({copy} differs from {config_path}). Name a new run folder.")
        if config.split.is_file() and sha256_of(config.split) != sha256_of(run / SPLIT):
            raise ConfigError(f"{run} holds a run on another split ({run / SPLIT} differs from {config.split}). Name a new run folder.")
        return parse_config(found, copy)
    if not config.split.is_file():
        raise ConfigError(f"There is no split file {config.split}, which {config_path} names. A split's path is relative to its config.")
    if config.training.precision == "auto":
        kept = with_values(kept, {"training.precision": fastest_precision()})
    make_folder(run)
    (run / DATA).unlink(missing_ok=True)
    if config.split.resolve() != (run / SPLIT).resolve():
        shutil.copyfile(config.split, run / SPLIT)
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    write_whole(copy, lambda path: path.write_text(text, encoding="utf-8"))
    return parse_config(kept, copy)


def make_folder(run: Path) -> None:
    """Raises ConfigError where it cannot be made."""
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The run folder {run} cannot be made: {error.strerror}. Name another one with --output.") from error


def open_finished(run: Path) -> TrainConfig:
    """The config of a run that has come to its end.

    Raises:
        ConfigError: it has not.
    """
    if not (run / FINISHED).is_file() or not (run / BEST).is_file():
        begun = "was not finished; the same `deepseg-train fit` goes on with it" if (run / LAST).exists() else "holds no trained weights"
        raise ConfigError(f"{run} {begun}. Name the folder of a finished run, as given to `deepseg-train fit --output`.")
    return read_run(run)


def read_run(run: Path) -> TrainConfig:
    """The config of a run whose folder another process has made."""
    return parse_config(read_config(run / CONFIG), run / CONFIG)


def finish(run: Path, epochs: int, seconds: float) -> None:
    """Write down that a run has come to its end, after how many epochs and seconds of training and validation."""
    write_whole(run / FINISHED, lambda path: path.write_text(json.dumps({"epochs": epochs, "seconds": round(seconds)}), encoding="utf-8"))


def minutes_of(run: Path) -> float:
    """How long a finished run took, over all starts."""
    return json.loads((run / FINISHED).read_text(encoding="utf-8"))["seconds"] / 60


@contextmanager
def only_one(run: Path) -> Iterator[None]:
    """While one process trains in a folder, which is made where there is none, no other may.

    Raises:
        ConfigError: another one does, or the folder cannot be made.
    """
    make_folder(run)
    lock = FileLock(run / "fit.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(f"Another process is training in {run}. Wait for it, or name another folder with --output.") from error
    try:
        yield
    finally:
        lock.release()


def say_ready(run: Path) -> None:
    """Tell the other processes of this start that the run's folder has its config and split."""
    write_whole(run / _READY, lambda path: path.write_text(_start(), encoding="utf-8"))


def _start() -> str:
    """What processes that were started together have in common."""
    return ":".join(os.environ.get(name, "") for name in ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"))


def wait_for_first_process(run: Path) -> None:
    """Of several processes that train together the first makes the run's folder; the others go on when it has.

    Raises:
        ConfigError: it has not within two minutes.
    """
    deadline, ready = time.monotonic() + _PATIENCE_S, run / _READY
    while not (ready.is_file() and ready.read_text(encoding="utf-8") == _start()):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"The first process has made no run folder {run} within {_PATIENCE_S} s. All processes must see the same --output folder."
            )
        time.sleep(0.1)


def record_inputs(run: Path, cases: Sequence[Case], config: TrainConfig, processes: int = 1) -> None:
    """Write down versions, the sha256 of every file and model a run reads, and which images it or these models have seen.

    A run that goes on must find the same ones.

    Raises:
        DatasetError: something differs from what the run began with.
    """
    now = {**versions(), "processes": str(processes)}
    if (run / LAST).exists():
        check_inputs(run, cases, config)
        _add_versions(run, now)
        return
    hashes = _hashes(cases, config)
    seen = Seen.of(digest for name, digest in hashes.items() if _IMAGE in name) | seen_before(config)
    for name, content in ((VERSIONS, now), (SEEN, seen.to_json()), (DATA, hashes)):
        write_whole(run / name, lambda path, content=content: path.write_text(json.dumps(content, indent=1), encoding="utf-8"))


def _add_versions(run: Path, now: dict[str, str]) -> None:
    """A run may go on with other versions than it began with; both are told."""
    told = json.loads((run / VERSIONS).read_text(encoding="utf-8"))
    for name, value in now.items():
        if told.setdefault(name, value).split(_THEN)[-1] != value:
            told[name] += f"{_THEN}{value}"
            print(f"Note: the run goes on with another {name}: {told[name]}.", flush=True)
    write_whole(run / VERSIONS, lambda path: path.write_text(json.dumps(told, indent=1), encoding="utf-8"))


def check_inputs(run: Path, cases: Sequence[Case], config: TrainConfig) -> None:
    """Compare every file and model a run reads with what it was.

    Raises:
        DatasetError: a file differs, is new or is missing.
    """
    known, found = json.loads((run / DATA).read_text(encoding="utf-8")), _hashes(cases, config)
    changed = sorted(key for key in {*known, *found} if known.get(key) != found.get(key))
    if changed:
        raise DatasetError(f"{len(changed)} inputs are not those that {run} was trained on, the first is {changed[0]}. Use what it began with.")


def seen_before(config: TrainConfig) -> Seen:
    """The images that the models it learns from were trained on."""
    return reduce(or_, (Seen.by(model.spec) for model in _models(config).values()), Seen())


def seen_by(run: Path) -> Seen:
    """The images that a run, or a model it learned from, was trained on."""
    return Seen.from_json(json.loads((run / SEEN).read_text(encoding="utf-8")))


def _hashes(cases: Sequence[Case], config: TrainConfig) -> dict[str, str]:
    files = {f"{case.name}{_IMAGE}{n}": path for case in cases for n, path in enumerate(case.images)}
    files |= {f"{case.name}/label": case.label for case in cases}
    return {**{name: content_sha256(path) for name, path in files.items()}, **{key: model.sha256 for key, model in _models(config).items()}}


def _models(config: TrainConfig) -> dict[str, ModelBundle]:
    """The models that a run learns from, by what they are to it.

    Raises:
        ConfigError: one cannot be used.
    """
    named = {"start_from": config.start_from, "teacher": config.distillation and config.distillation.teacher}
    found = {}
    for key, name in named.items():
        if name:
            try:
                found[key] = load_model(name)
            except ModelError as error:
                raise ConfigError(f"The model {name} of the config cannot be used: {error}") from error
    return found
