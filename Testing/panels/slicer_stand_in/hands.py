"""What a user does with a panel: real mouse clicks, choosing from a list; and pictures of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QScrollArea, QTableView, QWidget

from panels.slicer_stand_in.ctk_collapsible import CollapsibleButton
from panels.slicer_stand_in.mrml_node_combo_box import NodeComboBox
from panels.slicer_stand_in.mrml_node_rows import ACTION_ROLE
from panels.slicer_stand_in.proxy import alive
from panels.slicer_stand_in.session import SESSION


class CannotBeReached(AssertionError):  # noqa: N818
    """A user could not do that."""


def reach(widget: Any) -> tuple[QWidget, QPoint]:
    """The widget a user's click on the middle of another one meets, and where; scrolled to, if need be.

    Raises:
        CannotBeReached: hidden, disabled, covered, or outside what is shown.
    """
    real = alive(widget)
    name = f"{type(widget).__name__} '{real.objectName()}'"
    if not real.isVisible():
        raise CannotBeReached(f"{name} is hidden")
    if not real.isEnabled():
        raise CannotBeReached(f"{name} is disabled")
    QApplication.processEvents()
    parent = real.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(real)
        parent = parent.parentWidget()
    QApplication.processEvents()
    window, place = real.window(), _place_to_click(real)
    met = window.childAt(real.mapTo(window, place)) if window is not real else real.childAt(place) or real
    if met is None or not (met is real or real.isAncestorOf(met)):
        raise CannotBeReached(f"{name} is covered, or outside what is shown")
    if not met.isEnabled():
        raise CannotBeReached(f"{name} has its middle disabled")
    return met, met.mapFrom(real, place) if met is not real else place


def _place_to_click(real: QWidget) -> QPoint:
    """The middle, or that of the header of what collapses, or the box of a check box."""
    if isinstance(real, CollapsibleButton):
        return QPoint(real.width() // 2, 8)
    if isinstance(real, QAbstractButton) and not real.hitButton(real.rect().center()):
        return QPoint(10, real.height() // 2)
    return real.rect().center()


def mouse_click(widget: Any) -> None:
    """Press and release the left button on a widget."""
    met, place = reach(widget)
    SESSION.clicks += 1
    QTest.mouseClick(met, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    QApplication.processEvents()


def type_text(widget: Any, text: str) -> None:
    """Click on a line, replace what it holds and leave it."""
    met, _ = reach(widget)
    mouse_click(widget)
    for action in ("selectAll", "clear"):
        if hasattr(met, action):
            getattr(met, action)()
    QTest.keyClicks(met, text)
    QTest.keyClick(met, Qt.Key.Key_Return)
    QApplication.processEvents()


def press(widget: Any, keys: str) -> None:
    """Press keys with the focus on a widget, as "Ctrl+R" or "Down"."""
    met, _ = reach(widget)
    met.setFocus()
    QTest.keySequence(met, QKeySequence(keys))
    QApplication.processEvents()


def click_cell(table: Any, row: int, column: int) -> None:
    """Click on a cell of a table, scrolled to, if need be."""
    reach(table)
    real = alive(table)
    view = real if isinstance(real, QTableView) else real.tableWidget()
    index = view.model().index(row, column)
    if not index.isValid() or view.isRowHidden(row) or view.isColumnHidden(column):
        raise CannotBeReached(f"the table '{real.objectName()}' shows no cell ({row}, {column})")
    view.scrollTo(index)
    SESSION.clicks += 1
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, view.visualRect(index).center())
    QApplication.processEvents()


def choose(widget: Any, text: str) -> None:
    """Choose an item of a combo box, or of a node selector, by its text."""
    reach(widget)
    real = alive(widget)
    box = real.combo_box if isinstance(real, NodeComboBox) else real
    if not isinstance(box, QComboBox):
        raise CannotBeReached(f"{type(widget).__name__} is no combo box")
    index = box.findText(text)
    if index < 0:
        raise CannotBeReached(f"'{real.objectName()}' offers {[box.itemText(n) for n in range(box.count())]}, not {text!r}")
    SESSION.clicks += 2
    if isinstance(real, NodeComboBox) and box.itemData(index, ACTION_ROLE) not in (None, "none"):
        real.activateExtraItem(box.model().index(index, 0))
    else:
        if not box.model().index(index, 0).flags() & Qt.ItemFlag.ItemIsEnabled:
            raise CannotBeReached(f"{text!r} of '{real.objectName()}' is disabled")
        box.setCurrentIndex(index)
        box.activated.emit(index)
        box.textActivated.emit(text)
    QApplication.processEvents()


def grab(widget: Any, path: str | Path) -> Path:
    """Save a picture of a widget."""
    QApplication.processEvents()
    if not alive(widget).grab().save(str(path)):
        raise OSError(f"the picture {path} could not be written")
    return Path(path)
