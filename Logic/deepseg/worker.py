"""Runs outside the user interface's process, one after the other: `python -m deepseg.worker HOME [IDLE_SECONDS]`.

HOME is a private folder for this process alone. PyTorch is loaded while the client still writes the first run's input, and models
stay open, so that the next run starts at once. The worker ends when its client is gone or has been silent for IDLE_SECONDS.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepseg.errors import Cancelled, DeepSegError, MemoryLimitError, is_shortage
from deepseg.job_folder import read_job
from deepseg.job_result import write_result
from deepseg.worker_channel import Channel

if TYPE_CHECKING:
    from deepseg.api import ModelBundle, Progress

IDLE_S = 300.0
_NICENESS = 10
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NO_MEMORY = (
    "There was not enough memory for this run. Close other programs, or choose a smaller region of interest or a smaller model, then start it again."
)


class Worker:
    """What stays warm between runs."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._load_error: BaseException | None = None
        self._models: dict[Path, tuple[ModelBundle, list[tuple[str, int, int]]]] = {}

    def load(self) -> None:
        """Load PyTorch, and MONAI where there is time; what goes wrong is told to the first run."""
        try:
            import deepseg.networks
            import deepseg.prediction  # noqa: F401

            if not self._channel.has_work:  # many models do without MONAI
                import monai.networks.nets  # noqa: F401
        except Exception as error:
            self._load_error = error

    def run(self, folder: Path) -> dict[str, Any]:
        """Do what a job folder asks for; returns the message that ends the run."""
        try:
            if self._load_error:
                raise self._load_error  # a second attempt to load PyTorch would fail for another reason
            return self._answer(folder)
        except Cancelled:
            return {"type": "cancelled"}
        except MemoryLimitError as error:
            return {"type": "error", "message": str(error), "expected": True, "leaving": True}
        except DeepSegError as error:
            return {"type": "error", "message": str(error), "expected": True}
        except Exception as error:
            return _unforeseen(error, folder)

    def _answer(self, folder: Path) -> dict[str, Any]:
        from deepseg import api
        from deepseg.job_runs import run_job

        def report(progress: Progress) -> None:
            self._channel.check()
            self._channel.send({"type": "progress", "fraction": progress.fraction, "stage": progress.stage, "seconds_left": progress.seconds_left})

        report(api.Progress(0.0, "reading the image", None))
        job = read_job(folder)
        result = run_job(job, self._model(job.model), report)
        self._channel.check()
        return write_result(folder, result)

    def _model(self, folder: Path) -> ModelBundle:
        """The model in a folder; where none of its files has changed since an earlier run, they are not read again.

        A model takes little memory while it is not run, so all that were used stay open: a look at another one costs none of them.
        """
        from deepseg import api

        files = _files_of(folder)
        known, seen = self._models.pop(folder, (None, []))
        bundle = known if known is not None and seen == files else api.load_model(folder)
        self._models[folder] = bundle, files
        return bundle


def _files_of(folder: Path) -> list[tuple[str, int, int]]:
    """Each file below a folder with its size in bytes and its time of change in ns."""
    files = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(str(path), status.st_size, status.st_mtime_ns) for path, status in files]


def _unforeseen(error: Exception, folder: Path) -> dict[str, Any]:
    reason = str(error).strip().splitlines()
    text = reason[0] if reason else ""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        message = f"There is no room for the result ({error.strerror}) in {folder.parent}. Make room there, then start the run again."
        return {"type": "error", "message": message, "expected": True}
    if is_shortage(error):
        return {"type": "error", "message": _NO_MEMORY, "expected": True, "leaving": True}
    with suppress(OSError):  # the disk with the log may be full
        traceback.print_exception(type(error), error, error.__traceback__)
        sys.stderr.flush()
    message = f"The run stopped on an unexpected error ({type(error).__name__}{': ' + text if text else ''})."
    return {"type": "error", "message": message, "expected": False, "leaving": True}


def main(arguments: list[str] | None = None) -> int:
    """Work until the client is gone, says nothing more, or a run left this process in doubt."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m deepseg.worker HOME [IDLE_SECONDS]\n")
        return 2
    idle_s = float(arguments[1]) if len(arguments) == 2 else IDLE_S
    channel = Channel(Path(arguments[0]))
    channel.listen()
    if hasattr(os, "nice"):  # elsewhere the client starts this process at a lower priority
        os.nice(_NICENESS)
    channel.send({"type": "started", "pid": os.getpid()})
    worker = Worker(channel)
    worker.load()
    while (folder := channel.next_run(idle_s)) is not None:
        message = worker.run(folder)
        channel.send(message)
        if message.get("leaving"):
            os._exit(1)  # the client may want the log, so it removes the folders
    channel.leave(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
