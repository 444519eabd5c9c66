"""One worker process, seen from its client: started, spoken to, listened to, ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from DeepSegLib.private_folders import PrivateFolder
from DeepSegLib.search_path import logic_folder

_LOG = "worker.log"
_GRACE_S = 0.6
"""How long a worker may take to leave after its input was closed, before it is killed."""


class Process(Protocol):
    """What is needed of a process; `subprocess.Popen` with pipes has it."""

    stdin: Any
    stdout: Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


Start = Callable[[Path], Process]
"""Starts a worker whose private folder is given."""


def python_executable() -> str:
    """The interpreter to start: PythonSlicer inside Slicer, this interpreter elsewhere."""
    here = Path(sys.executable or "python")  # Slicer leaves it empty where PythonSlicer is not on its path
    beside = here.with_name("PythonSlicer" + here.suffix)
    return str(beside) if beside.is_file() else shutil.which("PythonSlicer") or str(here)


def start_worker(home: Path, arguments: Sequence[str] = ()) -> subprocess.Popen:
    """Start `deepseg.worker`, from anywhere."""
    return start_process([python_executable(), "-m", "deepseg.worker", str(home), *arguments], home)


def start_process(command: Sequence[str], home: Path) -> subprocess.Popen:
    """Start a program that finds the package `deepseg`, without a console window, at low priority where that is said at the start."""
    # PASSIVE: a thread that waits for the others of its kind lets the processor go. Otherwise a busy program beside it slows a run several times.
    paths = [str(logic_folder()), os.environ.get("PYTHONPATH", "")]
    environment = {
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONIOENCODING": "utf-8",
    }
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    with (home / _LOG).open("wb") as log:
        # The command is this interpreter and DeepSeg's own module; nothing of it comes from a user.
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=home, env=environment, creationflags=flags)


class WorkerProcess:
    """A worker with its private folder. One run uses it at a time.

    Attributes:
        runs: how many runs were sent to it.
    """

    def __init__(self, start: Start) -> None:
        """Start it.

        Raises:
            OSError: there is no room for its folder, or no process can be started.
        """
        self.runs = 0
        self._pid: int | None = None
        self._heard = b""
        self._ending = threading.Lock()
        self._home = PrivateFolder(Path(tempfile.gettempdir()))
        try:
            self.process = start(self._home.path)
        except BaseException:
            self._home.remove()
            raise

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, message: dict[str, str]) -> None:
        """Say something; a worker that is gone is noticed by whoever listens."""
        self.runs += message["type"] == "run"
        with suppress(OSError, ValueError), _without_pipe_signal():
            os.write(self.process.stdin.fileno(), (json.dumps(message) + "\n").encode())

    def listen(self) -> dict[str, Any]:
        """Wait for its next message; 'died' with the `status` once it is gone."""
        while True:
            line, newline, rest = self._heard.partition(b"\n")
            if not newline:
                try:
                    heard = os.read(self.process.stdout.fileno(), 1 << 16)
                except (OSError, ValueError):
                    heard = b""
                if not heard:
                    return {"type": "died", "status": self.process.wait()}
                self._heard += heard
                continue
            self._heard = rest
            try:
                message = json.loads(line)
                kind = message["type"]
            except (ValueError, TypeError, KeyError):
                continue  # a launcher around Python may print lines of its own
            if kind != "started":
                return message
            self._pid = int(message["pid"])

    def kill(self) -> None:
        """End the process that was started and, where that is a launcher around Python, Python itself."""
        if not self.alive:
            return
        self.process.kill()
        if self._pid and self._pid != getattr(self.process, "pid", None):
            with suppress(OSError):  # it has gone already
                os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def let_go(self) -> None:
        """Tell it that its client is gone, whatever it is doing."""
        with suppress(OSError):
            self.process.stdin.close()

    def end(self) -> None:
        """Let it go, kill it where it stays, and remove its folder. Nobody listens to it any more."""
        with self._ending:
            self.let_go()
            try:
                self.process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                self.process.wait()
            self.process.stdout.close()
            self._home.remove()

    def keep_log(self) -> Path | None:
        """Copy what it has printed to a file that stays; None where that cannot be."""
        kept = self._home.path.with_name(f"{self._home.path.name}-log.txt")
        try:
            shutil.copyfile(self._home.path / _LOG, kept)
        except OSError:
            kept.unlink(missing_ok=True)
            return None
        return kept


@contextmanager
def _without_pipe_signal() -> Iterator[None]:
    """Writing to a dead worker is an error; a program that embeds Python without Python's signal handlers would be killed by it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE in signal.sigpending() and signal.SIGPIPE not in before:
            signal.sigwait({signal.SIGPIPE})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
