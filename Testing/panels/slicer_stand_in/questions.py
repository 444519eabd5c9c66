"""Windows that wait for the user, answered by the test beforehand (`a_slicer.answers`): message boxes, file dialogs, Slicer's own questions."""

from __future__ import annotations

import logging
from typing import Any

from panels.slicer_stand_in.proxy import Proxy, alive
from panels.slicer_stand_in.session import SESSION

OK, CANCEL, YES, NO, RETRY, CLOSE = 0x400, 0x400000, 0x4000, 0x10000, 0x80000, 0x200000


def _ask_for_path(parent: Any = None, caption: str = "", *more: Any) -> Any:
    """The path the user chose; an empty one where they cancelled. PythonQt gives the path alone."""
    return SESSION.ask(caption)


def _ask_box(parent: Any, title: str, text: str, *buttons: Any) -> int:
    return int(SESSION.ask(text))


def _exec_box(self: Proxy) -> int:
    return int(SESSION.ask(alive(self).text()))


FILE_DIALOG = {name: staticmethod(_ask_for_path) for name in ("getExistingDirectory", "getOpenFileName", "getOpenFileNames", "getSaveFileName")}
MESSAGE_BOX = {name: staticmethod(_ask_box) for name in ("question", "information", "warning", "critical")} | {
    "exec_": _exec_box,
    "exec": _exec_box,
}


def message_box(text: str, parent: Any = None, **settings: Any) -> int:
    """`slicer.util.messageBox`: the button that was pressed; the test may also answer True (agrees) or False."""
    answer = SESSION.ask(text)
    if isinstance(answer, bool):
        shown = settings.get("standardButtons", OK)
        answer = next((button for button in ((OK, YES, RETRY) if answer else (CANCEL, NO, CLOSE)) if button & shown), 0)
    return int(answer)


def message_display(level: int, text: str, in_tests: Any, mainWindowNeeded: bool = False, **settings: Any) -> Any:  # noqa: N803
    """`slicer.util._messageDisplay`, as in a Slicer with a main window: everything that is told waits until it is closed."""
    import slicer

    logging.log(level, text)
    return in_tests if slicer.app.testingEnabled() else slicer.util.messageBox(text, **settings)
