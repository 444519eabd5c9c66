"""How far a run is, and the one place where it can be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """State of a run: `fraction` in 0..1, what is being done, and seconds left (None while unknown)."""

    fraction: float
    stage: str
    seconds_left: float | None


ProgressCallback = Callable[[Progress], None]
"""Called several times a second at most; it may raise `deepseg.errors.Cancelled` to stop the run."""

_SHORTEST_INTERVAL_S = 0.05


class Tracker:
    """Turns what a run has done into `Progress` with time left, for a callback or for nobody."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._start = time.monotonic()
        self._stage, self._stage_start = "", self._start
        self._fraction = 0.0
        self._last_report = float("-inf")
        self.seconds: dict[str, float] = {}

    def report(self, fraction: float, stage: str) -> None:
        """A new stage begins; how long it takes is not known yet."""
        now = time.monotonic()
        if stage != self._stage:
            self._close(now)
            self._stage, self._stage_start = stage, now
        self._tell(fraction, now, None)

    def steps(self, stage: str, start: float, stop: float) -> Callable[[int, int], None]:
        """A stage of many equal steps that takes the run from fraction `start` to `stop`; call the result with (done, count) after each.

        The first step is slower than the others (memory is taken, code is compiled), so time left follows from those after it.
        """
        self.report(start, stage)
        first: list[float] = []

        def step(done: int, count: int) -> None:
            now = time.monotonic()
            first.extend(() if first else (now, done))
            since, steps = now - first[0], done - first[1]
            if done == count or now - self._last_report >= _SHORTEST_INTERVAL_S or steps == 0:
                self._tell(start + (stop - start) * (done / count), now, since / steps * (count - done) if steps else None)

        return step

    def finish(self) -> dict[str, float]:
        """Report the end; returns the seconds each stage took, in order."""
        now = time.monotonic()
        self._close(now)
        self._stage = ""
        self._fraction = 1.0
        if self._callback:
            self._callback(Progress(1.0, "done", 0.0))
        return dict(self.seconds)

    def _tell(self, fraction: float, now: float, left: float | None) -> None:
        # A run that is started again with less memory does not go backwards.
        self._fraction = max(self._fraction, min(max(fraction, 0.0), 1.0))
        self._last_report = now
        if self._callback:
            self._callback(Progress(self._fraction, self._stage, left))

    def _close(self, now: float) -> None:
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._stage_start
