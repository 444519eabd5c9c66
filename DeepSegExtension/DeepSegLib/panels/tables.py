"""Rows of text in a QTableWidget: short, read-only, columns as wide as they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_ROW_PX, _MOST_ROWS = 26, 7


def fill_table(table: Any, titles: Sequence[str], rows: Sequence[Sequence[str]], tool_tips: Sequence[str] | None = None) -> None:
    """Show rows, keeping the chosen one where it still is there; the first column takes what room is left.

    Args:
        table: a QTableWidget.
        titles: of the columns.
        rows: texts, one for each column.
        tool_tips: of the rows.
    """
    import qt

    chosen = table.currentRow()
    was_blocked = table.blockSignals(True)
    try:
        table.setColumnCount(len(titles))
        table.setHorizontalHeaderLabels(list(titles))
        table.setRowCount(len(rows))
        for n, row in enumerate(rows):
            for column, text in enumerate(row):
                item = qt.QTableWidgetItem(text)
                if tool_tips:
                    item.setToolTip(tool_tips[n])
                table.setItem(n, column, item)
        header = table.horizontalHeader()
        for column in range(len(titles)):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents if column else qt.QHeaderView.Stretch)
        table.verticalHeader().setVisible(False)
        table.setFixedHeight(_ROW_PX * (min(max(len(rows), 1), _MOST_ROWS) + 1) + 6)
        if 0 <= chosen < len(rows):
            table.setCurrentCell(chosen, 0)
    finally:
        table.blockSignals(was_blocked)
