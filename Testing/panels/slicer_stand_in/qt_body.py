"""What PythonQt writes in Python's terms for Qt's classes: connecting by signature, children by class, one-shot timers, wrapped tool tips."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import Qt

from panels.slicer_stand_in.proxy import Proxy, alive, connect, disconnect
from panels.slicer_stand_in.session import SESSION
from panels.slicer_stand_in.signals import call_slot
from panels.slicer_stand_in.values import to_python


def _matches(child: Any, wanted: Any, name: str) -> bool:
    fits = child.inherits(wanted) if isinstance(wanted, str) else any(base is wanted for base in type(child).__mro__)
    return fits and (not name or child.objectName == name)


def _descendants(real: QObject) -> list[QObject]:
    found = []
    for child in real.children():
        found += [child, *_descendants(child)]
    return found


def find_children(self: Proxy, wanted: Any = "QObject", name: str = "") -> tuple:
    """All below, depth first, of a class given as such or by name."""
    proxies = [to_python(real) for real in _descendants(alive(self)) if not type(real).__name__.startswith("QAbstractItemViewPrivate")]
    return tuple(child for child in proxies if _matches(child, wanted, name))


def find_child(self: Proxy, wanted: Any = "QObject", name: str = "") -> Any:
    return next(iter(find_children(self, wanted, name)), None)


def _delete(self: Proxy) -> None:
    import shiboken6

    shiboken6.delete(alive(self))


OBJECT = {"connect": connect, "disconnect": disconnect, "findChildren": find_children, "findChild": find_child, "delete": _delete}


def wrapped_tool_tip(text: str) -> str:
    """Slicer makes rich text of tool tips, so that Qt breaks their lines."""
    return text if not text or Qt.mightBeRichText(text) else f"<p>{html.escape(text, quote=False)}</p>"


def _write_widget_property(self: Proxy, name: str, kind: str, value: Any) -> None:
    Proxy._write(self, name, kind, wrapped_tool_tip(value) if name == "toolTip" else value)


def _set_tool_tip(self: Proxy, text: str) -> None:
    alive(self).setToolTip(wrapped_tool_tip(text))


WIDGET = {"_write": _write_widget_property, "setToolTip": _set_tool_tip}


def _single_shot(milliseconds: int, slot: Callable) -> None:
    QTimer.singleShot(int(milliseconds), lambda: call_slot(slot, []))


TIMER = {"singleShot": staticmethod(_single_shot)}


def _open_url(url: Any) -> bool:
    SESSION.opened.append(url.toString() if not isinstance(url, str) else url)
    return True


DESKTOP_SERVICES = {"openUrl": staticmethod(_open_url)}


def _exec_menu(self: Proxy, *position: Any) -> Any:
    """The test answers with the text of an action, or None."""
    chosen = SESSION.ask(f"menu: {', '.join(action.text() for action in alive(self).actions())}")
    action = next((action for action in alive(self).actions() if action.text() == chosen), None)
    if action is None and chosen is not None:
        raise AssertionError(f"the menu has no action {chosen!r}")
    if action is not None:
        action.trigger()
    return to_python(action)


MENU = {"exec_": _exec_menu, "exec": _exec_menu}


class Unoffered:
    """Names that PythonQt has and panels do not need."""

    def __init__(self, *arguments: Any) -> None:
        raise NotImplementedError("the stand-in has no signals, slots and properties made in Python")
