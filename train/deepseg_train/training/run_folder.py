"""A run's folder: everything that is needed to go on with it, to export it and to repeat it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from deepseg.bundle import sha256_of
from deepseg.outputs import write_whole
from deepseg_train.config import TrainConfig, parse_config
from deepseg_train.config.reading import read_config, with_values
from deepseg_train.errors import ConfigError
from deepseg_train.training.versions import fastest_precision

CONFIG, SPLIT, VERSIONS, DATA, SEEN, CACHE = "config.yaml", "split.json", "versions.json", "data.json", "seen.json", "cache"
LAST, BEST, CURVES, FINISHED = "checkpoints/last.ckpt", "checkpoints/best.ckpt", "curves.png", "finished.json"


@dataclass(frozen=True)
class RunEnd:
    """How a run came to its end.

    Attributes:
        epochs: that were trained.
        seconds: of training and validation, over all starts.
        stopped: why it ended before the last epoch of its config; None where it did not.
    """

    epochs: int
    seconds: int
    stopped: str | None = None


def refuse_other_files(config_path: Path, run: Path) -> None:
    """See that a new run overwrites nothing that a user has written; asked before anything is made.

    Raises:
        ConfigError: the folder holds a config or a split that is not a run's own, or is where the given config lies.
    """
    if (run / LAST).exists():
        return
    copy = run / CONFIG
    if config_path.resolve() == copy.resolve():
        raise ConfigError(f"The run's own config would overwrite the one that was given, {config_path}. Name another folder with --output.")
    found = [name for name in (CONFIG, SPLIT) if (run / name).exists()]
    if found and not (run / DATA).exists():
        raise ConfigError(f"{run} holds {' and '.join(found)}, which no run has written and a run would overwrite. Name a new folder with --output.")


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
            raise ConfigError(
                f"{run} holds a run with another config: {_first_difference(found, kept)}. Set what was set when it began, or name a new run folder."
            )
        if config.split.is_file() and sha256_of(config.split) != sha256_of(run / SPLIT):
            raise ConfigError(f"{run} holds a run on another split ({run / SPLIT} differs from {config.split}). Name a new run folder.")
        return parse_config(found, copy)
    if not config.split.is_file():
        raise ConfigError(f"There is no split file {config.split}, which {config_path} names. A split's path is relative to its config.")
    if config.training.precision == "auto":
        kept = with_values(kept, {"training.precision": fastest_precision()})
    make_folder(run)
    # Empty until the data is read, and there before the others: it tells that they are a run's own (`refuse_other_files`).
    write_whole(run / DATA, lambda path: path.write_text("{}", encoding="utf-8"))
    if config.split.resolve() != (run / SPLIT).resolve():
        shutil.copyfile(config.split, run / SPLIT)
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    write_whole(copy, lambda path: path.write_text(text, encoding="utf-8"))
    return parse_config(kept, copy)


def _first_difference(there: dict[str, Any], here: dict[str, Any], place: str = "") -> str:
    """In words, the first value that two configs do not share."""
    for key in [*there, *(key for key in here if key not in there)]:
        ours, theirs = here.get(key, "not set"), there.get(key, "not set")
        if isinstance(ours, dict) and isinstance(theirs, dict):
            if ours != theirs:
                return _first_difference(theirs, ours, f"{place}{key}.")
        elif ours != theirs:
            return f"{place}{key} is {theirs} there and {ours} here"
    return "the order of its sections"


def make_folder(run: Path) -> None:
    """Raises ConfigError where it cannot be made."""
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The run folder {run} cannot be made: {error.strerror}. Name another one with --output.") from error


def read_run(run: Path) -> TrainConfig:
    """The config of a run whose folder another process has made."""
    return parse_config(read_config(run / CONFIG), run / CONFIG)


def open_finished(run: Path) -> TrainConfig:
    """The config of a run that has come to its end.

    Raises:
        ConfigError: it has not.
    """
    if not (run / FINISHED).is_file() or not (run / BEST).is_file():
        if (run / LAST).exists():
            begun = "was not finished; the same `deepseg-train fit` goes on with it"
        else:
            begun = "holds no trained weights" if run.is_dir() else "is not there"
        raise ConfigError(f"{run} {begun}. Name the folder of a finished run, as given to `deepseg-train fit --output`.")
    return read_run(run)


def finish(run: Path, end: RunEnd) -> None:
    """Write down that a run has come to its end."""
    write_whole(run / FINISHED, lambda path: path.write_text(json.dumps(asdict(end)), encoding="utf-8"))


def end_of(run: Path) -> RunEnd:
    """How a finished run ended."""
    return RunEnd(**json.loads((run / FINISHED).read_text(encoding="utf-8")))
