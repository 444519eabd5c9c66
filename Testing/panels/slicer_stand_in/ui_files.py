"""Loading .ui files as Slicer does: the same files, with the stand-in's widgets where they name CTK's and Slicer's."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, qInstallMessageHandler
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

from panels.slicer_stand_in.api import name_of
from panels.slicer_stand_in.proxy import BuiltinQtSlot
from panels.slicer_stand_in.qt_body import wrapped_tool_tip
from panels.slicer_stand_in.session import NotInStandIn
from panels.slicer_stand_in.values import to_python

_PLAIN = ("Line", "QWidget")


def _class_named(name: str) -> Any:
    import ctk
    import qt
    import slicer

    module = ctk if name.startswith("ctk") else slicer if name.startswith(("qMRML", "qSlicer")) else qt
    found = getattr(module, name, None)
    if found is None or found._real_class is None:
        raise NotInStandIn(f"the widget {name}")
    return found


class _Loader(QUiLoader):
    def createWidget(self, class_name: str, parent: QWidget | None = None, name: str = "") -> QWidget:  # noqa: N802
        if class_name in _PLAIN:
            return super().createWidget(class_name, parent, name)
        widget = _class_named(class_name)._real_class(parent)
        widget.setObjectName(name)
        return widget


def load_ui(path: str) -> Any:
    """`slicer.util.loadUI`.

    Raises:
        RuntimeError: the file does not exist; as Slicer.
        ValueError: Qt complains about something in it (Slicer prints that), or it connects what is not there.
    """
    if not Path(path).is_file():
        raise RuntimeError(f"Could not find UI file. {path}")
    tree = ElementTree.parse(path)
    for widget in tree.iter("widget"):
        if widget.get("class") not in _PLAIN:
            _class_named(widget.get("class"))
    connections = [[connection.findtext(tag) for tag in ("sender", "signal", "receiver", "slot")] for connection in tree.iter("connection")]
    for element in tree.getroot().findall("connections"):
        tree.getroot().remove(element)
    root = _load(ElementTree.tostring(tree.getroot()), path)
    for widget in [root, *root.findChildren(QWidget)]:
        widget.setToolTip(wrapped_tool_tip(widget.toolTip()))
    for connection in connections:
        _connect(root, *connection)
    return to_python(root)


def _load(source: bytes, path: str) -> QWidget:
    complaints: list[str] = []
    previous = qInstallMessageHandler(lambda kind, context, message: complaints.append(message))
    buffer = QBuffer()
    try:
        buffer.setData(QByteArray(source))
        buffer.open(QBuffer.OpenModeFlag.ReadOnly)
        root = _Loader().load(buffer)
    finally:
        qInstallMessageHandler(previous)
    if complaints or root is None:
        raise ValueError(f"{path}: {'; '.join(complaints) or 'cannot be loaded'}")
    return root


def _connect(root: QWidget, sender: str, signal: str, receiver: str, slot: str) -> None:
    ends = []
    for name in (sender, receiver):
        found = root if root.objectName() == name else root.findChild(QWidget, name)
        if found is None:
            raise ValueError(f"the .ui file connects {name}, which it does not have")
        ends.append(to_python(found))
    kind, signatures = type(ends[1])._member(name_of(slot)) or (None, [])
    if kind != "slots" or (signatures and slot not in signatures):
        raise ValueError(f"the .ui file connects {receiver}.{slot}, which {type(ends[1]).__name__} lacks")
    if not ends[0].connect(signal, BuiltinQtSlot(ends[1], name_of(slot), [slot])):
        raise ValueError(f"the .ui file connects {sender}.{signal}, which {type(ends[0]).__name__} lacks")
