"""A run's progress in a terminal."""

from __future__ import annotations

import sys

from deepseg import api


class ProgressBar:
    """A run's progress on standard error, with time left."""

    def __enter__(self) -> ProgressBar:
        from tqdm import tqdm

        self._bar = tqdm(total=100, bar_format="{desc}: {percentage:3.0f}% |{bar}|{postfix}", leave=False, file=sys.stderr)
        return self

    def show(self, progress: api.Progress) -> None:
        left = "" if progress.seconds_left is None else f"{progress.seconds_left:.0f} s left"
        self._bar.set_description_str(progress.stage, refresh=False)
        self._bar.set_postfix_str(left, refresh=False)
        self._bar.update(100 * progress.fraction - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()
