"""Apply, Cancel, Undo, the bar and the status line of one panel: one run at a time, its progress and its end in words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from deepseg.api import DeepSegError, Progress
from DeepSegLib import dependencies, log
from DeepSegLib.models import ModelStore
from DeepSegLib.runs.run import Run
from DeepSegLib.scene.change import SceneChange
from DeepSegLib.translation import _

POLL_INTERVAL_MS = 50
_FAILED_STYLE = "color: #dc4a46; font-weight: bold"
"""Readable on light and on dark panels."""
_LONG_S = 90


class RunControls:
    """Steers the widgets `applyButton`, `cancelButton`, `undoButton`, `progressBar` and `statusLabel` of a panel.

    Attributes:
        installing: whether packages are being installed; Qt's events go on meanwhile.
    """

    def __init__(
        self,
        ui: Any,
        timer: Any,
        confirm: Callable[[str], bool],
        install: Callable[[], None],
        start: Callable[[], Run],
        done: Callable[[Run], str],
        changed: Callable[[], None],
    ) -> None:
        """Connect the widgets.

        Args:
            ui: the panel's widgets.
            timer: a QTimer that nobody else uses.
            confirm: asks the user a question.
            install: installs the packages that are missing, after asking.
            start: starts what the user has chosen; raises a DeepSegError where that cannot be.
            done: called with a run that has succeeded; returns what to tell the user.
            changed: called whenever a run has begun or ended.
        """
        self.installing = False
        self._ui, self._timer, self._confirm, self._install = ui, timer, confirm, install
        self._start, self._done, self._changed = start, done, changed
        self._run: Run | None = None
        self._change: SceneChange | None = None
        timer.setInterval(POLL_INTERVAL_MS)
        timer.connect("timeout()", self._on_timer)
        ui.applyButton.connect("clicked(bool)", self._on_apply)
        ui.cancelButton.connect("clicked(bool)", self._on_cancel)
        ui.undoButton.connect("clicked(bool)", self._on_undo)
        ui.cancelButton.enabled = False
        ui.undoButton.enabled = False
        ui.progressBar.visible = False

    @property
    def running(self) -> bool:
        return self._run is not None

    def let_apply(self, obstacle: str, tool_tip: str) -> None:
        """Enable Apply where nothing stands in its way; `obstacle` says what does, '' for nothing."""
        self._ui.applyButton.enabled = not (obstacle or self.running or self.installing)
        self._ui.applyButton.toolTip = obstacle or tool_tip

    def tell(self, message: str, failed: bool = False) -> None:
        """Show a sentence in the status line."""
        self._ui.statusLabel.styleSheet = _FAILED_STYLE if failed else ""
        self._ui.statusLabel.text = message
        if message:
            log.note(message)

    def stop(self, message: str) -> None:
        """Cancel the run, if there is one, and say why."""
        self._timer.stop()
        if self._run:
            run, self._run = self._run, None
            run.cancel()
            self._show_idle(message)

    def forget(self) -> None:
        """The scene is another one: nothing of it can be undone."""
        self._change = None
        self._ui.undoButton.enabled = False

    def _on_apply(self, checked: bool = False) -> None:
        if self.running or self.installing:
            return
        try:
            self._complete_packages()
            self._run = self._start()
        except DeepSegError as error:
            self._show_idle(str(error), failed=True)
            return
        if self._change:
            self._change.forget()
        self._change = None
        self._ui.cancelButton.enabled = True
        self._ui.undoButton.enabled = False
        self._ui.progressBar.visible = True
        self._show_progress(self._run.progress)
        self._timer.start()
        self._changed()

    def _complete_packages(self) -> None:
        """Install what is missing. Qt's events go on meanwhile: Apply waits, and the scene may be another one afterwards."""
        if not dependencies.missing_packages():
            return
        self.installing = True
        try:
            self._show_idle(_("Looking for the Python packages a run needs. The Python console shows an installation."))
            self._install()
        finally:
            self.installing = False
            self._show_idle("")

    def _on_cancel(self, checked: bool = False) -> None:
        self.stop(_("Cancelled. The scene is as it was."))

    def _on_undo(self, checked: bool = False) -> None:
        change, self._change = self._change, None
        if change is None or self.running:
            return
        question = _("The segments were edited after this result. Undoing it takes those edits back, too. Undo all the same?")
        if change.edited_since and not self._confirm(question):
            self._change = change
            return
        change.undo()
        self._show_idle(_("Undone: the scene is as it was before that result."))

    def _on_timer(self) -> None:
        if self._run is None:
            self._timer.stop()
            return
        try:
            self._look_after(self._run)
        except Exception as error:  # a defect; without an end of the run the timer would raise it again and again
            logging.exception("DeepSeg")
            self.stop("")
            self._show_idle(_("The run stopped on an unexpected error ({error}). The Python console shows it.").format(error=error), failed=True)

    def _look_after(self, run: Run) -> None:
        if run.poll():
            self._show_progress(run.progress)
            return
        self._run = None
        self._timer.stop()
        if run.result is None:
            self._show_idle(run.error or "", failed=True)
            return
        self._change = run.change
        self._show_idle(" ".join([self._done(run), *run.notes]))

    def _show_progress(self, progress: Progress) -> None:
        self._ui.progressBar.value = round(100 * progress.fraction)
        self._ui.statusLabel.styleSheet = ""
        self._ui.statusLabel.text = f"{progress.stage[:1].upper()}{progress.stage[1:]}{_time_left(progress.seconds_left)}"

    def _show_idle(self, message: str, failed: bool = False) -> None:
        self._ui.cancelButton.enabled = False
        self._ui.undoButton.enabled = self._change is not None
        self._ui.progressBar.visible = False
        self.tell(message, failed)
        self._changed()


def installer(confirm: Callable[[str], bool], store: ModelStore) -> Callable[[], None]:
    """What installs missing packages: from the folder the user has set, or from the network."""
    return lambda: dependencies.install(confirm, store.settings.package_folder)


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds > _LONG_S:
        return _(", about {count} min left").format(count=round(seconds / 60))
    return _(", about {count} s left").format(count=max(round(seconds), 1))
