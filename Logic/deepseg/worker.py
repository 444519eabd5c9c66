"""One run outside the user interface's process: `python -m deepseg.worker JOB_FOLDER`.

The folder and the messages are described in `deepseg.job_folder`. Messages go to a private copy of standard output, and everything
else that is printed goes to standard error, so that no library can spoil them. The worker ends when its standard input ends: when
the run is cancelled or its parent is gone, however that went.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from deepseg.job_folder import read_job, remove_job, write_result

_CANCELLED = 3
_LEAVING_S = 5.0


class Channel:
    """The worker's end of the line to its parent: messages out, and the end of the parent in."""

    def __init__(self) -> None:
        self._out, self._in = os.dup(1), os.dup(0)
        os.dup2(2, 1)
        # On Windows, libraries that look at standard input while they load would wait for the read below.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def send(self, message: dict[str, Any]) -> None:
        """Write one message; ends the process if the parent does not listen any more."""
        line = (json.dumps(message) + "\n").encode()
        try:
            while line:
                line = line[os.write(self._out, line) :]
        except OSError:
            time.sleep(_LEAVING_S)  # the parent is gone: the watching thread is emptying the folder and ends the process
            os._exit(_CANCELLED)

    def end_with_parent(self, folder: Path) -> None:
        """From now on, end this process at once when the parent closes its end; a folder nobody waits for is emptied."""

        def watch() -> None:
            while os.read(self._in, 4096):
                pass
            remove_job(folder)
            os._exit(_CANCELLED)

        threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def run(folder: Path, channel: Channel) -> None:
    """Segment what lies in a job folder and report over the channel."""
    from deepseg import api

    def report(progress: api.Progress) -> None:
        channel.send({"type": "progress", "fraction": progress.fraction, "stage": progress.stage, "seconds_left": progress.seconds_left})

    try:
        job = read_job(folder)
        prediction = api.segment(job.volume, api.load_model(job.model), job.roi, report)
        channel.send(write_result(folder, prediction))
    except api.DeepSegError as error:
        channel.send({"type": "error", "message": str(error), "expected": True})


def main(arguments: list[str] | None = None) -> int:
    """Run the worker; its exit status is 0 where a result or an expected error was sent."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m deepseg.worker JOB_FOLDER\n")
        return 2
    folder = Path(arguments[0])
    channel = Channel()
    channel.end_with_parent(folder)
    channel.send({"type": "started", "pid": os.getpid()})
    try:
        run(folder, channel)
    except Exception as error:
        traceback.print_exc()
        reason = str(error).strip().splitlines()
        message = f"The run stopped on an unexpected error ({type(error).__name__}{': ' + reason[0] if reason else ''})."
        channel.send({"type": "error", "message": message, "expected": False})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
