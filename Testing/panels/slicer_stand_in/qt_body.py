"""What PythonQt writes in Python's terms for Qt's classes: connecting by signature, children by class, one-shot timers, wrapped tool tips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, QUrl, Slot
from PySide6.QtGui import QDesktopServices, Qt

from panels.slicer_stand_in.proxy import Proxy, alive
from panels.slicer_stand_in.session import SESSION
from panels.slicer_stand_in.signals import Signal, call_slot, normalized
from panels.slicer_stand_in.values import to_python


def connect(self: Proxy, signature: str, slot: Any) -> bool:
    """Connect by a signature; one that the class lacks gives False in silence."""
    found = _signal(self, signature)
    return found.connect(slot) if found else False


def disconnect(self: Proxy, signature: str, slot: Any = None) -> bool:
    found = _signal(self, signature)
    return found.disconnect(slot) if found else False


def _signal(proxy: Proxy, signature: str) -> Signal | None:
    wanted = normalized(signature)
    kind_and_overloads = type(proxy)._member(wanted.split("(", 1)[0])
    overloads = [
        overload for base in type(proxy).__mro__ if "_api" in base.__dict__ for overload in base._api.signals.get(wanted.split("(", 1)[0], [])
    ]
    if not kind_and_overloads or wanted not in overloads:
        return None
    return Signal(alive(proxy), type(proxy)._class_name(), wanted)


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
    return text if not text or Qt.mightBeRichText(text) else Qt.convertFromPlainText(text, Qt.WhiteSpaceMode.WhiteSpaceNormal)


def _write_widget_property(self: Proxy, name: str, kind: str, value: Any) -> None:
    Proxy._write(self, name, kind, wrapped_tool_tip(value) if name == "toolTip" else value)


def _set_tool_tip(self: Proxy, text: str) -> None:
    alive(self).setToolTip(wrapped_tool_tip(text))


WIDGET = {"_write": _write_widget_property, "setToolTip": _set_tool_tip}


_waiting: set[QTimer] = set()


def _single_shot(milliseconds: int, slot: Callable) -> None:
    timer = QTimer()
    timer.setSingleShot(True)

    def fire() -> None:
        _waiting.discard(timer)
        call_slot(slot, [])

    timer.timeout.connect(fire)
    timer.start(int(milliseconds))
    _waiting.add(timer)


def forget_single_shots() -> None:
    """At the end of a test: what has not fired yet never will."""
    for timer in _waiting:
        timer.stop()
    _waiting.clear()


TIMER = {"singleShot": staticmethod(_single_shot)}


def _open_url(url: Any) -> bool:
    SESSION.opened.append(url.toString() if not isinstance(url, str) else url)
    return True


DESKTOP_SERVICES = {"openUrl": staticmethod(_open_url)}


class UrlCatcher(QObject):
    """Catches what Qt itself would hand to the desktop, as for a link in a label."""

    @Slot(QUrl)
    def catch(self, url: QUrl) -> None:
        SESSION.opened.append(url.toString())


def catch_urls() -> UrlCatcher:
    """No program of the desktop is ever started; keep what is returned."""
    catcher = UrlCatcher()
    for scheme in ("http", "https", "file", "mailto"):
        QDesktopServices.setUrlHandler(scheme, catcher, "catch")
    return catcher


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
