"""The worker seen by its client: starts, cancellations, a timer, time left: `python Testing/benchmarks/worker.py [--size I J K] [--ticks N]`.

The client is a loop with a timer of 20 ms that looks after the run every fifth time, as Slicer's panel does. The same loop without a run tells what
of the lateness is the computer's own.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from table import show
from volumes import ct_like, mosaic

from deepseg.api import Job, Volume, find_model

sys.path.append(str(Path(__file__).resolve().parents[2] / "DeepSegExtension"))
from DeepSegLib.jobs import WorkerJob
from DeepSegLib.worker_pool import WorkerPool

TICK_S, LATE_S = 0.02, 0.05
SHORTEST_S = 20.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="hippocampus-mr")
    parser.add_argument("--size", nargs=3, type=int, default=[256, 256, 192])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ticks", type=int, default=2000)
    options = parser.parse_args()
    small, large = job_of(options.model, (64, 64, 48)), job_of(options.model, tuple(options.size))
    pool = WorkerPool()
    try:
        show(
            "Starts and cancellations",
            [("", "median s", "worst s"), *starts(small, large, options.repeats), *cancellations(large, pool, options.repeats)],
        )
        accuracy = longest_run(large, pool)
        idle = lateness(options.ticks, lambda: None)
        busy = lateness(options.ticks, runs(large, pool))
        show("A timer of 20 ms in the client", [("", "ticks", "over 50 ms late", "of a thousand", "worst ms"), ("no run", *idle), ("a run", *busy)])
        show("Seconds left, announced / true", [("run", "after a tenth", "lowest to 95 %", "highest to 95 %"), accuracy])
    finally:
        pool.close()


def job_of(model: str, size: tuple[int, int, int]) -> Job:
    volume: Volume = mosaic(size) or ct_like(size)
    return Job(volume, find_model(model))


def starts(small: Job, large: Job, repeats: int) -> list[tuple[str, str, str]]:
    """Seconds from the call to the first news of the worker and to its first windows."""
    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        pool = WorkerPool()
        try:
            for name, job in (("cold", small), ("second run, small image", small), ("second run, large image", large)):
                begun, windows = start_of(job, pool)
                seconds.setdefault(f"{name}: the worker begins", []).append(begun)
                seconds.setdefault(f"{name}: the network runs", []).append(windows)
        finally:
            pool.close()
    return [row(name, values) for name, values in seconds.items()]


def start_of(job: Job, pool: WorkerPool) -> tuple[float, float]:
    start = time.perf_counter()
    run = WorkerJob(job, pool)
    begun = 0.0
    while run.poll() and run.progress.stage != "running the network":
        begun = begun or (run.progress.stage != "starting" and time.perf_counter() - start)
    windows = time.perf_counter() - start
    if job.volume.array.size > 1 << 20:
        run.cancel()
    else:
        run.wait()
    return begun or windows, windows


def cancellations(job: Job, pool: WorkerPool, repeats: int) -> list[tuple[str, str, str]]:
    """Seconds that `cancel` takes while the input is written, and in the network."""
    seconds: dict[str, list[float]] = {"cancel at the start": [], "cancel in the network": []}
    for _ in range(repeats):
        for name, values in seconds.items():
            run = WorkerJob(job, pool)
            while name.endswith("network") and run.poll() and run.progress.fraction <= 0.06:
                continue
            start = time.perf_counter()
            run.cancel()
            values.append(time.perf_counter() - start)
    return [row(name, values) for name, values in seconds.items()]


def longest_run(job: Job, pool: WorkerPool) -> tuple[str, str, str, str]:
    """How true the announced seconds left were: a tenth of the run later, and from there to 95 % of it."""
    start, announced = time.perf_counter(), []
    run = WorkerJob(job, pool)
    while run.poll():
        if run.progress.seconds_left is not None:
            announced.append((time.perf_counter() - start, run.progress.seconds_left))
    total = time.perf_counter() - start
    if run.error:
        raise SystemExit(run.error)
    if total < SHORTEST_S:
        raise SystemExit(f"The run took {total:.1f} s; the figure needs {SHORTEST_S:.0f} s or more: choose a larger --size.")
    ratios = [left / (total - at) for at, left in announced if 0.1 * total <= at <= 0.95 * total]
    return f"{total:.1f} s", f"{ratios[0]:.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"


def runs(job: Job, pool: WorkerPool) -> Callable[[], None]:
    """What the client does every fifth time: look after a run, and start the next one when it has ended."""
    current: list[WorkerJob] = []

    def look_after() -> None:
        if not current or not current[0].poll():
            current[:] = [WorkerJob(job, pool)]

    return look_after


def lateness(ticks: int, look_after: Callable[[], None]) -> tuple[str, str, str, str]:
    """How late a timer of 20 ms is."""
    late, due = [], time.perf_counter() + TICK_S
    for n in range(ticks):
        time.sleep(max(due - time.perf_counter(), 0.0))
        now = time.perf_counter()
        late.append(now - due)
        due = max(due, now) + TICK_S
        if n % 5 == 0:
            look_after()
    count = sum(value > LATE_S for value in late)
    return str(ticks), str(count), f"{1000 * count / ticks:.1f}", f"{1000 * max(late):.0f}"


def row(name: str, seconds: list[float]) -> tuple[str, str, str]:
    return name, f"{statistics.median(seconds):.3f}", f"{max(seconds):.3f}"


if __name__ == "__main__":
    main()
