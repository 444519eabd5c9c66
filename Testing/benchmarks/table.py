"""What every benchmark shares: the machine's name, medians of interleaved runs, and a table."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import torch


def machine() -> str:
    """The computer the figures were measured on."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    card = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {torch.get_num_threads()} threads{card}, PyTorch {torch.__version__}, Python {platform.python_version()}"


def medians(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each run; the runs take turns, so that whatever else the machine does meets them alike.

    Ctrl-C ends the measuring early; the turns that are complete count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    complete = 0
    try:
        for n in range(repeats):
            for name, run in runs.items():
                begin = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - begin)
                print(f"  run {n + 1} of {repeats}, {name}: {seconds[name][-1]:.2f} s", flush=True)
            complete = n + 1
    except KeyboardInterrupt:
        if not complete:
            raise
        print(f"  stopped after {complete} of {repeats}", flush=True)
    return {name: statistics.median(values[:complete]) for name, values in seconds.items()}


def show(title: str, rows: list[tuple[str, ...]]) -> None:
    """Print rows in columns; the first row holds the headings."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    print(f"\n{title}\n{machine()}")
    for n, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if n == 0:
            print("  ".join("-" * width for width in widths))
    print(flush=True)
