"""A run in a worker process, seen from the user interface: start it, look at it now and then, cancel it.

The user interface calls `poll()` from a timer; a script calls `wait()`. Neither runs Qt's event loop, and nothing here touches a
scene: a finished job hands over its result, and until then nothing outside its private folder has changed. A thread of the job's own
writes the input and reads the result, so that no timer of the user interface waits for hundreds of megabytes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from deepseg.api import Cancelled, DeepSegError, Job, JobResult, Progress, read_result, write_job
from DeepSegLib import worker_pool
from DeepSegLib.private_folders import PrivateFolder, with_room
from DeepSegLib.worker_pool import WorkerPool

_POLL_S = 0.01
_ANSWER_S = 0.6
"""How long a worker may take to answer a cancellation before it is killed."""
_CLEARING_S = 0.35
"""How long clearing up after that may take before it goes on without anybody waiting."""


class WorkerJob:
    """One run in another process: a segmentation, an estimate of uncertainty, an explanation or a preview.

    Attributes:
        progress: the latest report.
        result: what the job asked for, once it is there.
        error: one sentence for the user, once the run has failed.
        cancelled: whether `cancel` ended it.
    """

    def __init__(self, job: Job, pool: WorkerPool | None = None) -> None:
        """Take or start a worker, which gets ready while the input is written.

        Raises:
            DeepSegError: no process can be started.
        """
        self.progress = Progress(0.0, "starting", None)
        self.result: JobResult | None = None
        self.error: str | None = None
        self.cancelled = False
        self._job = job
        self._pool = worker_pool.shared if pool is None else pool
        self._cancelling = threading.Event()
        self._news = threading.Event()
        self._ended = threading.Event()
        self._folder: PrivateFolder | None = None
        try:
            self._worker = self._pool.take()
        except OSError as error:
            raise DeepSegError(f"The run cannot be started ({error.strerror or error}). Is the disk with the temporary folder full?") from error
        threading.Thread(target=self._work, name="deepseg-run", daemon=True).start()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the run, a sentence each, once the result is there."""
        return self.result.notes if self.result else ()

    @property
    def running(self) -> bool:
        return not self._ended.is_set() and not self.cancelled

    def poll(self) -> bool:
        """Returns whether the run goes on."""
        # Waiting lets the job's thread run: inside Slicer it gets no turn while Qt's event loop idles.
        if self.running and self._news.wait(_POLL_S):
            self._news.clear()
        return self.running

    def wait(self, on_progress: Callable[[Progress], None] | None = None) -> JobResult:
        """Block until the run ends.

        Raises:
            DeepSegError: it failed or was cancelled.
        """
        shown = self.progress
        try:
            while self.poll():
                if on_progress and self.progress is not shown:
                    shown = self.progress
                    on_progress(shown)
        finally:
            self.cancel()
        if self.result is None:
            raise DeepSegError(self.error or "The run was cancelled.")
        return self.result

    def cancel(self) -> None:
        """Stop the run within a second and leave nothing behind; does nothing after its end."""
        if not self.running:
            return
        self._cancelling.set()
        if folder := self._folder:
            self._worker.send({"type": "cancel", "folder": str(folder.path)})
        if not self._ended.wait(_ANSWER_S):
            self._worker.kill()
            self._ended.wait(_CLEARING_S)
        self.cancelled, self.result, self.error = True, None, None

    def _work(self) -> None:
        """The life of the run, in its own thread."""
        result, fit = None, True
        try:
            self._pool.sweep()
            message = self._run()
            fit = message["type"] != "died" and not message.get("leaving")
            result, error = self._outcome(message)
        except Cancelled:
            error = None
        except DeepSegError as refused:
            error = str(refused)
        except Exception as defect:
            error, fit = f"The run stopped on an unexpected error ({type(defect).__name__}: {defect}).", False
        finally:
            if self._folder:
                self._folder.remove()
            self._pool.give_back(self._worker, fit)
        if not self._cancelling.is_set():
            self.result, self.error = result, error
        self._ended.set()
        self._news.set()

    def _run(self) -> dict[str, Any]:
        """Hand the input over and listen until the run has ended; returns the message that ended it."""
        self._folder = self._written()
        while True:
            self._go_on()
            reused = self._worker.runs > 0
            self._worker.send({"type": "run", "folder": str(self._folder.path)})
            if self._cancelling.is_set():  # it came between the two lines above and found nothing to cancel
                self._worker.send({"type": "cancel", "folder": str(self._folder.path)})
            message = self._worker.listen()
            if message["type"] != "died" or not reused:
                break
            # It ended in the moment it was taken, after its idle time; nothing of the run was done.
            self._pool.give_back(self._worker, fit=False)
            self._worker = self._pool.take_new()
        while message["type"] == "progress":
            self.progress = Progress(message["fraction"], message["stage"], message["seconds_left"])
            self._news.set()
            message = self._worker.listen()
        return message

    def _written(self) -> PrivateFolder:
        """A folder with the input, in the first place that has room for it."""
        places, needed, reason = list(self._pool.roots()), self._job.bytes_needed, ""
        for place in with_room(places, needed):
            folder = None
            try:
                folder = PrivateFolder(place)
                write_job(folder.path, self._job, self._go_on)
            except BaseException as error:
                if folder:
                    folder.remove()
                if not isinstance(error, OSError):
                    raise
                reason = f" ({error.strerror or error})"
            else:
                return folder
        names = " nor in ".join(str(place) for place in places)
        raise DeepSegError(
            f"The run needs {needed / 1e6:.0f} MB for its files, and there is no room for them in {names}{reason}. "
            "Make room there, then start it again."
        )

    def _go_on(self) -> None:
        if self._cancelling.is_set():
            raise Cancelled("The run was cancelled.")

    def _outcome(self, message: dict[str, Any]) -> tuple[JobResult | None, str | None]:
        """The result, or one sentence on what went wrong."""
        if message["type"] == "result":
            try:
                return read_result(self._folder.path, self._job, message), None
            except (OSError, ValueError, KeyError, TypeError, DeepSegError) as error:
                return None, self._with_log(f"The result cannot be read ({error}).")
        if message["type"] == "error":
            return None, message["message"] if message["expected"] else self._with_log(message["message"])
        if message["type"] == "died" and not self._cancelling.is_set():
            return None, self._with_log(_death(message["status"]))
        return None, "The run was cancelled."

    def _with_log(self, sentence: str) -> str:
        log = self._worker.keep_log()
        return f"{sentence} Details: {log}" if log else sentence


def _death(status: int) -> str:
    return (
        f"The process that runs the model ended unexpectedly (status {status}), most often for lack of memory. "
        "Close other programs or choose a smaller region of interest, then start it again."
    )
