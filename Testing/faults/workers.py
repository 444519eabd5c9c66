"""Workers that tests start and stop: real ones, ones that hold still at a given moment, and what must be true when all is over."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from DeepSegLib.worker_pool import WorkerPool
from DeepSegLib.worker_process import start_process, start_worker

HOLD = """
import sys, time
from pathlib import Path

def hold(*arguments, **keywords):
    Path({reached!r}).touch()
    time.sleep(600)

{prepare}
from deepseg import worker
{patch}
sys.exit(worker.main([sys.argv[1]]))
"""


class Workers:
    """Starts workers for a pool and remembers their processes.

    Attributes:
        starts: how the next workers are started, in turn; real ones after the last.
    """

    def __init__(self, shared: Path, temporary: Path) -> None:
        self.shared, self.temporary = shared, temporary
        self.processes: list[subprocess.Popen] = []
        self.starts = []
        self.pool = WorkerPool(self.start, lambda: [shared, temporary])

    def start(self, home: Path) -> subprocess.Popen:
        start = self.starts.pop(0) if self.starts else start_worker
        self.processes.append(start(home))
        return self.processes[-1]

    def assert_nothing_is_left(self) -> None:
        """No folder of any run; no process but one that waits, and not even that once the pool is closed."""
        assert list(self.shared.iterdir()) == []
        assert sum(process.poll() is None for process in self.processes) <= 1
        self.pool.close()
        assert all(process.poll() is not None for process in self.processes)
        assert list(self.temporary.iterdir()) == []


def holding(reached: Path, patch: str = "", prepare: str = ""):
    """Starts a worker that touches the file `reached` and holds still where the code `patch` or `prepare` puts `hold`."""
    code = HOLD.format(reached=str(reached), patch=patch, prepare=prepare)
    return lambda home: start_process([sys.executable, "-c", code, str(home)], home)


def patched(prepare: str):
    """Starts a worker that first runs the code `prepare`."""
    return holding(Path(os.devnull), prepare=prepare)


def run_until(job, condition, limit_s=300):
    """Follow a run until `condition` holds."""
    end = time.monotonic() + limit_s
    while not condition():
        assert job.poll(), job.error
        assert time.monotonic() < end, f"nothing within {limit_s} s; the last report was {job.progress}"


def follow(job):
    """Follow a run to its end."""
    while job.poll():
        continue
    return job


def in_the_network(job):
    return lambda: job.progress.stage == "running the network" and job.progress.fraction > 0.06


def without_log(error: str) -> str:
    """The sentence of an error whose log was kept; removes the log."""
    sentence, _, log = error.partition(" Details: ")
    Path(log).unlink()
    return sentence


def assert_gone(pid, limit_s=60.0):
    """The process has ended, or does so soon."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} still runs")
