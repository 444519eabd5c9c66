"""A run in a worker process, seen from the user interface: start it, look at it now and then, cancel it.

The user interface calls `poll()` from a timer; a script calls `wait()`. Neither runs Qt's event loop, and nothing here touches a
scene: a finished job hands over a label map, and until then nothing outside its temporary folder has changed.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from deepseg.api import LOG, DeepSegError, Job, LabelMap, Progress, read_result, write_job
from DeepSegLib.search_path import logic_folder

_POLL_S = 0.02
_GRACE_S = 0.6
"""How long a worker may take to leave after its input was closed, before it is killed."""


class Worker(Protocol):
    """What a job needs of a process; `subprocess.Popen` with pipes has it."""

    stdin: Any
    stdout: Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


def python_executable() -> str:
    """The interpreter to start: PythonSlicer inside Slicer, this interpreter elsewhere."""
    here = Path(sys.executable or "python")  # Slicer leaves it empty where PythonSlicer is not on its path
    beside = here.with_name("PythonSlicer" + here.suffix)
    return str(beside) if beside.is_file() else shutil.which("PythonSlicer") or str(here)


def start_worker(folder: Path) -> Worker:
    """Start `deepseg.worker` on a job folder, from anywhere, without a console window."""
    paths = [str(logic_folder()), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path), "PYTHONIOENCODING": "utf-8"}
    with (folder / LOG).open("wb") as log:
        # The command is this interpreter and DeepSeg's own module; nothing of it comes from a user.
        return subprocess.Popen(
            [python_executable(), "-m", "deepseg.worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=environment,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )


class SegmentationJob:
    """One segmentation in its own process.

    Attributes:
        progress: the latest report.
        labels: the result, once it is there.
        error: one sentence for the user, once the run has failed.
        cancelled: whether `cancel` ended it.
    """

    def __init__(self, job: Job, start: Callable[[Path], Worker] = start_worker) -> None:
        """Write the job's folder and start its worker.

        Raises:
            DeepSegError: there is no room for the temporary files, or no process can be started.
        """
        self.progress = Progress(0.0, "starting", None)
        self.labels: LabelMap | None = None
        self.error: str | None = None
        self.cancelled = False
        self._geometry = job.volume.geometry
        self._pid: int | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._folder = Path(tempfile.mkdtemp(prefix="deepseg-"))
        try:
            write_job(self._folder, job)
            self._worker = start(self._folder)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise DeepSegError(f"The run cannot be started ({error.strerror or error}). Is the disk with the temporary folder full?") from error
        self._reader = threading.Thread(target=self._read, name="deepseg-worker-reader", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self.labels is None and self.error is None and not self.cancelled

    def poll(self) -> bool:
        """Take in what the worker has said; returns whether the run goes on."""
        deadline = time.monotonic() + _POLL_S
        while self.running:
            try:
                # Waiting lets the reader's thread run: inside Slicer it gets no turn while Qt's event loop idles.
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                break
            self._take(line)
        return self.running

    def wait(self, on_progress: Callable[[Progress], None] | None = None) -> LabelMap:
        """Block until the run ends.

        Raises:
            DeepSegError: it failed or was cancelled.
        """
        shown = self.progress
        try:
            while self.poll():
                if on_progress and self.progress is not shown:
                    shown = self.progress
                    on_progress(shown)
        finally:
            self.cancel()
        if self.labels is None:
            raise DeepSegError(self.error or "The run was cancelled.")
        return self.labels

    def cancel(self) -> None:
        """Stop the run within a second and leave nothing behind; does nothing after its end."""
        if self.running:
            self.cancelled = True
            self._end()

    def _read(self) -> None:
        for line in self._worker.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _take(self, line: bytes | None) -> None:
        if line is None:
            self._fail(_death(self._worker.wait()), with_log=True)
            return
        try:
            message = json.loads(line)
            kind = message["type"]
        except (ValueError, TypeError, KeyError):
            return  # a launcher around Python may print lines of its own
        if kind == "started":
            self._pid = int(message["pid"])
        elif kind == "progress":
            self.progress = Progress(message["fraction"], message["stage"], message["seconds_left"])
        elif kind == "error":
            self._fail(message["message"], with_log=not message["expected"])
        elif kind == "result":
            try:
                labels = read_result(self._folder, self._geometry, message)
            except (OSError, ValueError, DeepSegError) as error:
                self._fail(f"The result cannot be read ({error}).", with_log=True)
                return
            self._end()
            self.labels = labels

    def _fail(self, message: str, with_log: bool) -> None:
        self._end(keep_log=with_log)
        self.error = f"{message} Details: {self._kept_log()}" if with_log else message

    def _end(self, keep_log: bool = False) -> None:
        """Let the worker go, kill it if it stays, and remove the job's folder."""
        if keep_log:
            # First of all: a worker whose input ends removes its folder.
            shutil.copyfile(self._folder / LOG, self._kept_log())
        self._worker.stdin.close()
        try:
            self._worker.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._worker.wait()
        self._reader.join(_GRACE_S)
        if not self._reader.is_alive():
            self._worker.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill(self) -> None:
        """End the process that was started and, where that is a launcher around Python, Python itself."""
        self._worker.kill()
        if self._pid:
            try:
                os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            except OSError:
                return  # it has gone already

    def _kept_log(self) -> Path:
        return self._folder.with_name(f"{self._folder.name}-log.txt")


def _death(status: int) -> str:
    return (
        f"The segmentation process ended unexpectedly (status {status}), most often for lack of memory. "
        "Close other programs or choose a smaller region of interest, then start it again."
    )
