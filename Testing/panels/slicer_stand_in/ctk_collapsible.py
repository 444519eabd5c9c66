"""CTK's collapsible button and group box: a header that shows and hides what lies below it."""

from __future__ import annotations

from PySide6.QtCore import Property, QEvent, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPolygon
from PySide6.QtWidgets import QAbstractButton, QGroupBox, QWidget

_MARGIN = 6


class _Collapsing:
    """Hides the children while collapsed, but for those that were hidden for other reasons, and shows them again."""

    def prepare(self, widget: QWidget) -> None:
        self._widget, self._hidden, self._forcing, self.collapsed = widget, [], False, False

    def collapse(self, collapsed: bool) -> None:
        self.collapsed, self._forcing = collapsed, True
        children = [child for child in self._widget.children() if isinstance(child, QWidget)]
        if collapsed:
            self._hidden = [child for child in children if not child.isHidden()]
        for child in self._hidden:
            child.setVisible(not collapsed)
        if not collapsed:
            self._hidden = []
        self._forcing = False

    def watch(self, child: QObject, event: QEvent) -> None:
        """A child that a script shows or hides meanwhile is shown or hidden once the rest is shown."""
        if self.collapsed and not self._forcing and event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            if event.type() == QEvent.Type.ShowToParent:
                self._forcing = True
                child.hide()
                self._forcing = False
                self._hidden.append(child)
            elif child in self._hidden:
                self._hidden.remove(child)


class CollapsibleButton(QAbstractButton):
    """ctkCollapsibleButton."""

    contentsCollapsed = Signal(bool)  # noqa: N815

    def __init__(self, text: str | QWidget = "", parent: QWidget | None = None) -> None:
        super().__init__(text if isinstance(text, QWidget) else parent)
        self._collapsing = _Collapsing()
        self._collapsing.prepare(self)
        self._collapsed_height = 14
        self._flat = False
        self.setCheckable(True)
        self.setChecked(True)
        self.setText("" if isinstance(text, QWidget) or text is None else text)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self.toggled.connect(self.onToggled)

    def childEvent(self, event: QEvent) -> None:  # noqa: N802
        if event.added() and isinstance(event.child(), QWidget):
            event.child().installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child: QObject, event: QEvent) -> bool:  # noqa: N802
        self._collapsing.watch(child, event)
        return False

    def collapse(self, collapsed: bool) -> None:
        if collapsed == self._collapsing.collapsed:
            return
        self._collapsing.collapse(collapsed)
        self.setMaximumHeight(self._header_height() + self._collapsed_height if collapsed else 16777215)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def onToggled(self, checked: bool = True) -> None:  # noqa: N802
        self.collapse(not checked)

    def hitButton(self, position: QPoint) -> bool:  # noqa: N802
        return position.y() < self._header_height()

    def sizeHint(self) -> QSize:  # noqa: N802
        header = QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._header_height())
        if self._collapsing.collapsed:
            return header + QSize(0, self._collapsed_height)
        return QWidget.sizeHint(self).expandedTo(header)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(QWidget.minimumSizeHint(self).width(), self._header_height()).expandedTo(
            QSize(0, 0) if self._collapsing.collapsed else QWidget.minimumSizeHint(self)
        )

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        height = self._header_height()
        painter.fillRect(0, 0, self.width(), height, self.palette().button())
        painter.setPen(self.palette().buttonText().color())
        painter.setBrush(self.palette().buttonText())
        middle = height // 2
        corners = [(4, -3), (8, 0), (4, 3)] if self._collapsing.collapsed else [(3, -2), (9, -2), (6, 3)]
        painter.drawPolygon(QPolygon([QPoint(x, middle + y) for x, y in corners]))
        painter.drawText(16, 0, self.width() - 16, height, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()

    def _header_height(self) -> int:
        return self.fontMetrics().height() + _MARGIN

    def _set_collapsed(self, collapsed: bool) -> None:
        if self.isCheckable():
            self.setChecked(not collapsed)
        else:
            self.collapse(collapsed)

    def _set(self, name: str, value: int) -> None:
        setattr(self, name, value)
        self.updateGeometry()

    collapsed = Property(bool, lambda self: self._collapsing.collapsed, _set_collapsed)
    collapsedHeight = Property(int, lambda self: self._collapsed_height, lambda self, height: self._set("_collapsed_height", height))  # noqa: N815
    flat = Property(bool, lambda self: self._flat, lambda self, flat: self._set("_flat", flat))


class CollapsibleGroupBox(QGroupBox):
    """ctkCollapsibleGroupBox: a checkable group box that collapses where a plain one disables."""

    def __init__(self, title: str | QWidget = "", parent: QWidget | None = None) -> None:
        super().__init__(title if isinstance(title, QWidget) else parent)
        self._collapsing = _Collapsing()
        self._collapsing.prepare(self)
        self._collapsed_height = 14
        self.setTitle("" if isinstance(title, QWidget) or title is None else title)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self.expand)

    def childEvent(self, event: QEvent) -> None:  # noqa: N802
        if event.added() and isinstance(event.child(), QWidget):
            event.child().installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child: QObject, event: QEvent) -> bool:  # noqa: N802
        self._collapsing.watch(child, event)
        return False

    def expand(self, expanded: bool) -> None:
        if expanded != self._collapsing.collapsed:
            return
        self._collapsing.collapse(not expanded)
        self.setMaximumHeight(16777215 if expanded else self.fontMetrics().height() + self._collapsed_height)
        self.updateGeometry()

    collapsed = Property(bool, lambda self: not self.isChecked(), lambda self, collapsed: self.setChecked(not collapsed))
    collapsedHeight = Property(int, lambda self: self._collapsed_height, lambda self, height: setattr(self, "_collapsed_height", height))  # noqa: N815
