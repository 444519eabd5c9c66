"""Processes and a run's folder: one training at a time, made by the first of those that train together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deepseg.outputs import write_whole
from deepseg_train.errors import ConfigError
from deepseg_train.training.run_folder import make_folder

_PATIENCE_S = 120
_READY = "ready"


def world_and_rank(processes: int) -> tuple[int, int]:
    """How many processes train together, and which of them this is; `torchrun` and Lightning's own launcher say so in the environment."""
    world = int(os.environ.get("WORLD_SIZE", processes))
    return world, int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))


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


def _start() -> str:
    """What processes that were started together have in common."""
    return ":".join(os.environ.get(name, "") for name in ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"))
