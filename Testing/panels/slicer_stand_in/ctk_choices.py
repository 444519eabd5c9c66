"""CTK's combo boxes: one with a text for no choice, one whose items can be checked."""

from __future__ import annotations

from PySide6.QtCore import Property, QModelIndex, Qt, Signal
from PySide6.QtWidgets import QComboBox, QStyleOptionComboBox, QWidget


class ComboBox(QComboBox):
    """ctkComboBox: shows `defaultText` while nothing is chosen. Qt's own placeholder would keep the first item from being chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._default_text = ""

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:  # noqa: N802
        super().initStyleOption(option)
        if self.currentIndex() < 0:
            option.currentText = self._default_text

    def _set_default_text(self, text: str) -> None:
        self._default_text = text
        self.update()

    defaultText = Property(str, lambda self: self._default_text, _set_default_text)  # noqa: N815

    def setCurrentUserDataAsString(self, data: str) -> None:  # noqa: N802
        self.setCurrentIndex(next((index for index in range(self.count()) if str(self.itemData(index)) == data), -1))

    currentUserDataAsString = Property(str, lambda self: str(self.currentData() or ""), setCurrentUserDataAsString)  # noqa: N815


class CheckableComboBox(QComboBox):
    """ctkCheckableComboBox."""

    checkedIndexesChanged = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._checked: list[int] = []
        self.model().rowsInserted.connect(self._make_checkable)
        self.model().dataChanged.connect(self._on_data_changed)

    def checkableModel(self):  # noqa: N802
        return self.model()

    def checkedIndexes(self) -> list[QModelIndex]:  # noqa: N802
        return [self.model().index(row, 0) for row in self._checked_rows()]

    def allChecked(self) -> bool:  # noqa: N802
        return len(self._checked_rows()) == self.count()

    def noneChecked(self) -> bool:  # noqa: N802
        return not self._checked_rows()

    def checkState(self, index: QModelIndex) -> Qt.CheckState:  # noqa: N802
        return Qt.CheckState(self.model().data(index, Qt.ItemDataRole.CheckStateRole) or 0)

    def setCheckState(self, index: QModelIndex, state: int) -> None:  # noqa: N802
        self.model().setData(index, Qt.CheckState(state), Qt.ItemDataRole.CheckStateRole)

    def _checked_rows(self) -> list[int]:
        return [row for row in range(self.count()) if self.model().item(row).checkState() == Qt.CheckState.Checked]

    def _make_checkable(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            item = self.model().item(row)
            if item is not None:
                item.setCheckable(True)

    def _on_data_changed(self, *_: object) -> None:
        checked = self._checked_rows()
        if checked != self._checked:
            self._checked = checked
            self.checkedIndexesChanged.emit()
