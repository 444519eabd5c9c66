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


class Tracker:
    """Turns a run's fraction into `Progress` with time left, for a callback or for nobody."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._start = time.monotonic()
        self._stage, self._stage_start = "", self._start
        self.seconds: dict[str, float] = {}

    def report(self, fraction: float, stage: str) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._close(now)
            self._stage, self._stage_start = stage, now
        fraction = min(max(fraction, 0.0), 1.0)
        if self._callback:
            elapsed = now - self._start
            left = elapsed * (1 - fraction) / fraction if fraction > 0.05 and elapsed > 0.5 else None
            self._callback(Progress(fraction, stage, left))

    def finish(self) -> dict[str, float]:
        """Report the end; returns the seconds each stage took, in order."""
        self.report(1.0, "done")
        return {stage: seconds for stage, seconds in self.seconds.items() if stage != "done"}

    def _close(self, now: float) -> None:
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._stage_start
