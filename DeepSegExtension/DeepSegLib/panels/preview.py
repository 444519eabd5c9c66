"""What the next run will take, and what about its image is unusual: asked in the background a moment after the choices have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deepseg.api import DeepSegError, Device, Preview
from DeepSegLib import dependencies
from DeepSegLib.panels.choices import Choice
from DeepSegLib.runs.preview import PreviewRun
from DeepSegLib.runs.run import Run
from DeepSegLib.translation import _

_POLL_MS, _QUIET_MS = 50, 400
AUTOMATIC = ""
Ask = Callable[[], "tuple[Any, Callable[[], PreviewRun]] | None"]


class PreviewControls:
    """Fills `deviceSelector` and hands what is told to the panel; keeps the parameter `device` and the selector the same.

    Attributes:
        told: the latest preview of the choices as they are; None while there is none.
        problem: one sentence where the choices cannot be run; else ''.
    """

    def __init__(self, ui: Any, timer: Any, parameters: Callable[[], Any], ask: Ask, show: Callable[[], None]) -> None:
        """Connect the widgets.

        Args:
            ui: the panel's widgets.
            timer: a QTimer that nobody else uses.
            parameters: gives the parameter node that is shown; None while none is.
            ask: gives what the choices are, to be compared, and how to start a preview of them; None where they are not complete.
            show: called when something has become known.
        """
        self.told: Preview | None = None
        self.problem = ""
        self._timer, self._ask, self._show = timer, ask, show
        self._run: Run | None = None
        self._choices: Any = None
        self._known: tuple[Device, ...] = ()
        self._lacking = False
        self._devices = Choice(ui.deviceSelector, parameters, "device")
        timer.connect("timeout()", self._on_timer)
        self._offer_devices()

    @property
    def device(self) -> str | None:
        """Key of the device that is shown as chosen; None for automatic. A scene may name one that this computer lacks."""
        return self._devices.key or None

    @property
    def forecast(self) -> str:
        """What a run will take, or that its packages must be installed first; '' while it is not known."""
        if self.told:
            return self.told.forecast
        return _("The Python packages of a run are not installed yet; the button below asks before it installs them.") if self._lacking else ""

    def update(self) -> None:
        """The choices may have changed."""
        asked = self._ask()
        choices = asked[0] if asked else None
        self._offer_devices()
        if choices == self._choices:
            return
        self.stop()
        self._choices, self.told, self.problem = choices, None, ""
        self._lacking = bool(dependencies.missing_packages())
        if choices is not None and not self._lacking:
            self._timer.start(_QUIET_MS)
        self._show()

    def stop(self) -> None:
        """Ask no longer; what was told stays."""
        self._timer.stop()
        if self._run:
            run, self._run = self._run, None
            run.cancel()

    def forget(self) -> None:
        """The scene is another one."""
        self.stop()
        self._choices, self.told, self.problem = None, None, ""

    def _on_timer(self) -> None:
        self._timer.stop()
        try:
            if self._run is None:
                asked = self._ask()
                if asked is None or asked[0] != self._choices:
                    return
                self._run = asked[1]()
            if self._run.poll():
                self._timer.start(_POLL_MS)
                return
            run, self._run = self._run, None
            self.told, self.problem = run.result, run.error or ""
        except DeepSegError as error:
            self._run, self.problem = None, str(error)
        if self.told:
            self._known = self.told.devices
            self._offer_devices()
        self._show()

    def _offer_devices(self) -> None:
        """Automatic and, once the worker has told, what this computer has."""
        named = [(device.key, f"{device.name[:1].upper()}{device.name[1:]}") for device in self._known]
        self._devices.offer([(AUTOMATIC, _("Automatic")), *named])
