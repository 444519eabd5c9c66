"""Processes that work through the cases of a batch: each takes one case after the other, and the death of one costs its case alone.

A process ends when its parent does, however that went; it leaves Ctrl-C to its parent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from deepseg import api
from deepseg.cohort.cases import Case
from deepseg.cohort.record import FAILED, FINISHED, Record, begin_case, read_record, write_record
from deepseg.cohort.run_case import run_case

_PROGRESS_STEP = 0.02
_LOST = 1


@dataclass(frozen=True)
class Work:
    """What all processes of a batch share."""

    model: Path
    out: Path
    settings: dict[str, Any]
    jobs: int


@dataclass(eq=False)
class _Worker:
    process: Any
    line: Connection
    case: Case | None = None
    fraction: float = 0.0


def run_cases(cases: Sequence[tuple[Case, dict[str, Any]]], work: Work, on_progress: Callable[[float], None]) -> Iterator[Record]:
    """Run cases, each with the key of its record, in `work.jobs` processes; gives each record as soon as it is there.

    Args:
        cases: what to run, in order.
        work: model, folder and settings.
        on_progress: called with the number of cases done, those in work counted by their fraction.
    """
    waiting, workers, done = deque(cases), [], 0
    keys = {case.name: key for case, key in cases}
    try:
        while True:
            while waiting and sum(worker.case is not None for worker in workers) < work.jobs:
                case, key = waiting.popleft()
                try:
                    begin_case(work.out, case.name, key)
                except api.OutputError as error:
                    # Told, but not written down: the record that is there still says what the result beside it was made from.
                    yield Record(case.name, key, FAILED, error=str(error))
                    done += 1
                    continue
                _hand_over(case, key, workers, work)
            for worker in [worker for worker in workers if worker.case is None]:
                workers.remove(worker)
                _end(worker)
            if not workers:
                return
            for ready in wait([worker.line for worker in workers]):
                worker = next(worker for worker in workers if worker.line is ready)
                try:
                    message = ready.recv()
                except (EOFError, OSError):
                    workers.remove(worker)
                    yield _after_death(worker, keys, work)
                    done += 1
                    continue
                if isinstance(message, float):
                    worker.fraction = message
                else:
                    done += 1
                    worker.case, worker.fraction = None, 0.0
                    yield message
            on_progress(done + sum(worker.fraction for worker in workers))
    finally:
        for worker in workers:
            worker.process.kill()
            _end(worker)


def _start(work: Work) -> _Worker:
    # Spawned, since a forked process cannot use a GPU and inherits locks of threads that it lacks.
    context = multiprocessing.get_context("spawn")
    line, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), name="deepseg-batch", daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, line)


def _hand_over(case: Case, key: dict[str, Any], workers: list[_Worker], work: Work) -> None:
    """Give a case that has begun to a worker without one, or to a new one."""
    worker = next((worker for worker in workers if worker.case is None), None)
    if worker is None:
        workers.append(worker := _start(work))
    worker.case = case
    with suppress(OSError):  # where it died between two cases, its line ends, which costs this case
        worker.line.send((case, key))


def _after_death(worker: _Worker, keys: dict[str, dict[str, Any]], work: Work) -> Record:
    """The record of the case that a dead process had in work; it may have finished it just before."""
    worker.process.join()
    case = worker.case
    left = read_record(work.out, case.name)
    if left is not None and left.status == FINISHED:
        return left
    code = worker.process.exitcode
    how = f"was ended by signal {-code}" if code and code < 0 else f"ended with code {code}"
    told = f"The process that segmented this case {how}; perhaps the memory was not enough. Run the batch again, with fewer --jobs."
    record = Record(case.name, keys[case.name], FAILED, error=told)
    write_record(work.out, record)
    return record


def _end(worker: _Worker) -> None:
    worker.line.close()
    worker.process.join()


def _serve(line: Connection, work: Work) -> None:
    """A process's life: cases in, records out, until its parent has no more or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    import SimpleITK as sitk
    import torch

    threads = max(torch.get_num_threads() // work.jobs, 1)
    torch.set_num_threads(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    bundle = api.load_model(work.model)
    while True:
        try:
            case, key = line.recv()
        except EOFError:
            return
        told = [0.0]

        def report(progress: api.Progress, told: list[float] = told) -> None:
            if progress.fraction - told[0] >= _PROGRESS_STEP:
                told[0] = progress.fraction
                line.send(progress.fraction)

        line.send(run_case(case, key, bundle, work.out, work.settings, report))


def _end_with_parent() -> None:
    wait([multiprocessing.parent_process().sentinel])
    os._exit(_LOST)
