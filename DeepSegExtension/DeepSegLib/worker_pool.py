"""The workers of this process: started when they are needed, kept warm between runs, none left behind."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from DeepSegLib import private_folders
from DeepSegLib.worker_process import Start, WorkerProcess, start_worker


class WorkerPool:
    """Hands out one worker for each run and keeps the last one that comes back.

    A worker ends when it has been idle for five minutes, by itself, or comes back while another one waits.
    """

    def __init__(self, start: Start = start_worker, roots: Callable[[], Sequence[Path]] = private_folders.roots) -> None:
        """`start` starts a worker; `roots` says where the folders of runs may lie, the best first."""
        self.roots = roots
        self._start = start
        self._lock = threading.Lock()
        self._spare: WorkerProcess | None = None
        self._busy: set[WorkerProcess] = set()
        self._swept = False

    def take(self) -> WorkerProcess:
        """The waiting worker, or a new one.

        Raises:
            OSError: no process can be started.
        """
        with self._lock:
            spare, self._spare = self._spare, None
            if spare and spare.alive:
                self._busy.add(spare)
                return spare
        if spare:
            spare.end()
        return self.take_new()

    def take_new(self) -> WorkerProcess:
        """A worker that has just been started.

        Raises:
            OSError: no process can be started.
        """
        worker = WorkerProcess(self._start)
        with self._lock:
            self._busy.add(worker)
        return worker

    def give_back(self, worker: WorkerProcess, fit: bool = True) -> None:
        """Take back a worker whose run has ended; one that is not `fit` for another ends."""
        with self._lock:
            kept = fit and worker.alive and self._spare is None and worker in self._busy
            self._busy.discard(worker)
            if kept:
                self._spare = worker
        if not kept:
            worker.end()

    def sweep(self) -> None:
        """Once: remove what killed clients and workers left."""
        with self._lock:
            first, self._swept = not self._swept, True
        if first:
            private_folders.sweep(self.roots())

    def close(self) -> None:
        """End all workers, those that are busy too."""
        with self._lock:
            workers = [*self._busy, *([self._spare] if self._spare else [])]
            self._busy.clear()
            self._spare = None
        for worker in workers:  # all of them first, then wait for each
            worker.let_go()
        for worker in workers:
            worker.end()


def _close_at_exit() -> None:
    shared.close()
    private_folders.remove_all()


shared = WorkerPool()
"""What all modules of this process use."""

atexit.register(_close_at_exit)
