"""The worker's end of the lines to its client. The messages are described in `deepseg.job_folder`.

Messages go to a private copy of standard output, and everything else that is printed goes to standard error, so that no library can spoil
them. The process ends when its standard input does, that is, when its client is gone, however that went.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from deepseg.errors import Cancelled
from deepseg.job_folder import remove_folder

_CLIENT_GONE = 3
_LEAVING_S = 5.0


class Channel:
    """Runs and cancellations in, messages out."""

    def __init__(self, home: Path) -> None:
        """`home` is this worker's private folder; it goes with the process."""
        self._home = home
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._waiting: deque[Path] = deque()
        self._current: Path | None = None
        self._cancelled: Path | None = None
        self._out, self._in = os.dup(1), os.dup(0)
        os.dup2(2, 1)
        # On Windows, libraries that look at standard input while they load would wait for the reading below.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def listen(self) -> None:
        """Begin to take in what the client says."""
        threading.Thread(target=self._listen, name="deepseg-client", daemon=True).start()

    def next_run(self, limit_s: float) -> Path | None:
        """Folder of the next run; None when there was none for `limit_s`."""
        with self._changed:
            self._current = None
            if not self._changed.wait_for(lambda: self._waiting, limit_s):
                return None
            self._current = self._waiting.popleft()
            return self._current

    @property
    def has_work(self) -> bool:
        return bool(self._waiting)

    def check(self) -> None:
        """Raise `Cancelled` where the client has cancelled the present run."""
        if self._cancelled is not None and self._cancelled == self._current:
            raise Cancelled("The run was cancelled.")

    def send(self, message: dict[str, Any]) -> None:
        """Write one message; ends the process if the client does not listen any more."""
        line = (json.dumps(message, allow_nan=False) + "\n").encode()
        try:
            with self._sending:
                while line:
                    line = line[os.write(self._out, line) :]
        except OSError:
            time.sleep(_LEAVING_S)  # the client is gone: the listening thread is removing the folders and ends the process
            os._exit(_CLIENT_GONE)

    def leave(self, status: int) -> None:
        """End the process and leave no folder."""
        with self._changed:
            folders = [self._home, *self._waiting, *([self._current] if self._current else [])]
        for folder in folders:
            remove_folder(folder)
        os._exit(status)

    def _listen(self) -> None:
        with os.fdopen(self._in, "rb") as lines:
            for line in lines:
                self._take(json.loads(line))
        self.leave(_CLIENT_GONE)

    def _take(self, message: dict[str, Any]) -> None:
        folder = Path(message["folder"])
        with self._changed:
            if message["type"] == "run":
                self._waiting.append(folder)
                self._changed.notify()
                return
            never_begun = folder in self._waiting
            if never_begun:
                self._waiting.remove(folder)
            else:
                self._cancelled = folder
        if never_begun:  # while PyTorch loads, for example
            self.send({"type": "cancelled"})
