"""A stand-in for Slicer's Qt side in which panels run unchanged; see `slicer_stand_in`. Nothing here is Slicer but its scene."""

import builtins
import gc
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def a_stand_in(tmp_path_factory):
    """Made once a process: Qt without a display, and Slicer's real scene."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from trame_slicer.core import SlicerApp

    python_import = builtins.__import__
    try:
        from panels.slicer_stand_in.install import StandIn
    except ImportError as error:
        pytest.fail(f"Qt cannot be loaded ({error}). Debian has what it needs: apt install libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1")
    # PySide6 put its own in the place of Python's, for a feature nobody uses here; tests of what unpickling asks for look at its name.
    builtins.__import__ = python_import
    application = SlicerApp()
    stand_in = StandIn(application.scene, application.app_logic, tmp_path_factory.mktemp("slicer-settings"))
    # What is here by now stays: looking for garbage after each test takes a fortieth of the time.
    gc.freeze()
    yield stand_in
    gc.unfreeze()
    application.io_manager.cache_dir.cleanup()


class ASlicer:
    """A running Slicer, as a test sees it.

    Attributes:
        answers: what the user will answer, in order; a window that waits for an answer without one fails the test.
        asked: the questions that were answered.
        opened: addresses handed to the desktop.
        slot_errors: what slots, observers, enter, exit and setup raised. A test that expects an error empties the list.
        scene: slicer.mrmlScene.
    """

    def __init__(self, stand_in: Any) -> None:
        from panels.slicer_stand_in import hands
        from panels.slicer_stand_in.session import SESSION

        self._stand_in, self._session, self._dark = stand_in, SESSION, False
        self.answers, self.asked, self.opened, self.slot_errors = SESSION.answers, SESSION.asked, SESSION.opened, SESSION.slot_errors
        self.scene = stand_in.app.mrmlScene()
        self.load_module = stand_in.modules.load
        self.mouse_click, self.choose, self.type_text, self.grab = hands.mouse_click, hands.choose, hands.type_text, hands.grab
        self.press, self.click_cell = hands.press, hands.click_cell
        self.set_testing = stand_in.app.set_testing

    @property
    def clicks(self) -> int:
        return self._session.clicks

    @property
    def dark(self) -> bool:
        return self._dark

    @dark.setter
    def dark(self, dark: bool) -> None:
        self._dark = dark
        self._stand_in.app.set_dark(dark)

    def process_events(self, seconds: float = 0) -> None:
        self._stand_in.app.process_for(seconds)

    def wait_until(self, predicate: Callable[[], Any], timeout_s: float) -> None:
        """Handle events until something is so; it fails after `timeout_s`."""
        end = time.monotonic() + timeout_s
        while not predicate():
            if time.monotonic() > end:
                raise TimeoutError(f"not so after {timeout_s} s")
            self.process_events(0.005)


@pytest.fixture
def a_slicer(a_stand_in):
    """A fresh Slicer with an empty scene and no settings."""
    import slicer
    from PySide6.QtCore import QSettings

    from panels.slicer_stand_in.observing import stop_observing_all
    from panels.slicer_stand_in.qt_body import forget_single_shots
    from panels.slicer_stand_in.registry import forget_the_dead
    from panels.slicer_stand_in.session import SESSION

    SESSION.reset()
    QSettings().clear()
    a_stand_in.put()
    scene = a_stand_in.app.mrmlScene()
    scene.Clear(False)
    slicer_now = ASlicer(a_stand_in)
    # What VTK and PySide6 print of errors in observers and virtual functions counts as well.
    printing, sys.excepthook = sys.excepthook, lambda kind, error, traceback: SESSION.keep_error(error)
    yield slicer_now
    slicer_now.dark = False
    slicer_now.set_testing(False)
    a_stand_in.modules.unload_all()
    scene.Clear(False)
    for kind in ("vtkMRMLScriptedModuleNode", "vtkMRMLSegmentEditorNode"):  # singletons survive a closed scene
        for node in list(slicer.util.getNodesByClass(kind, scene)):
            scene.RemoveNode(node)
    forget_single_shots()
    a_stand_in.app.processEvents()
    stop_observing_all()
    a_stand_in.app.forget_listeners()
    a_stand_in.remove()
    sys.excepthook = printing
    for name in ("last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    gc.collect()
    forget_the_dead()
    errors, unused = list(SESSION.slot_errors), list(SESSION.answers)
    SESSION.reset()
    assert not errors, f"slots raised, which Slicer only prints: {errors}"
    assert not unused, f"answers that nothing asked for: {unused}"
