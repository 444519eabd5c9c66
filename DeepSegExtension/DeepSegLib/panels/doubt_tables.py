"""The tables of DeepSeg Uncertainty: what is promised of each segment, and the regions to look at. Both show table nodes of the scene."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from DeepSegLib.panels.tables import fill_table
from DeepSegLib.scene.display import look_at
from DeepSegLib.scene.editing import edit_within_doubt
from DeepSegLib.scene.segments import mark_segment_reviewed
from DeepSegLib.scene.tables import REGIONS_TABLE, REVIEWED, Row, mark_reviewed, rows_of, table_about
from DeepSegLib.translation import _


class SegmentTable:
    """Fills `segmentsTable` from a table node."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def show(self, table: Any) -> None:
        """Show a table of segments; none where None."""
        rows = rows_of(table) if table else []
        self._ui.segmentsCollapsibleButton.visible = bool(rows)
        levels = {row["level"] for row in rows if not math.isnan(row["volume_low_ml"])}
        held = f" ({100 * levels.pop():.0f} %)" if len(levels) == 1 else ""
        titles = (_("Segment"), _("Volume, mL{level}").format(level=held), _("Dice to expect"), _("Do"))
        fill_table(self._ui.segmentsTable, titles, [_segment_texts(row) for row in rows])


class RegionList:
    """Steers `regionsTable` and the buttons below it: look there, correct there, note that it was looked at."""

    def __init__(self, ui: Any, scene: Any, open_editor: Callable[[], None]) -> None:
        """`open_editor` shows the module Segment Editor."""
        self._ui, self._scene, self._open_editor = ui, scene, open_editor
        self._segmentation: Any = None
        self._maps: dict[str, Any] = {}
        ui.regionsTable.connect("itemSelectionChanged()", self._on_selected)
        ui.correctButton.connect("clicked(bool)", self._on_correct)
        ui.reviewedButton.connect("clicked(bool)", self._on_reviewed)

    def show(self, segmentation: Any, maps: dict[str, Any]) -> None:
        """Show the regions of a segmentation, whose maps of doubt are given by measure; none where None."""
        self._segmentation, self._maps = segmentation, maps
        rows = self._rows
        self._ui.regionsCollapsibleButton.visible = self._table is not None
        titles = (_("Segment"), _("Could change, mL"), _("Size, mL"), _("Reviewed"))
        fill_table(self._ui.regionsTable, titles, [_region_texts(row) for row in rows], [_region_tip(row) for row in rows])
        self._update_buttons()

    @property
    def _table(self) -> Any:
        return table_about(self._scene, self._segmentation, REGIONS_TABLE) if self._segmentation else None

    @property
    def _rows(self) -> list[Row]:
        table = self._table
        return rows_of(table) if table else []

    @property
    def _chosen(self) -> Row | None:
        rows, row = self._rows, self._ui.regionsTable.currentRow()
        return rows[row] if 0 <= row < len(rows) else None

    def _update_buttons(self) -> None:
        chosen = self._chosen
        self._ui.correctButton.enabled = bool(chosen and self._maps)
        self._ui.reviewedButton.enabled = chosen is not None
        done = bool(chosen and chosen[REVIEWED])
        self._ui.reviewedButton.text = _("Mark as not reviewed") if done else _("Mark reviewed")

    def _on_selected(self) -> None:
        if row := self._chosen:
            look_at(self._scene, (row["r_mm"], row["a_mm"], row["s_mm"]))
        self._update_buttons()

    def _on_correct(self, checked: bool = False) -> None:
        if (row := self._chosen) and self._maps:
            segmentation, maps = self._segmentation, self._maps
            self._open_editor()  # first: as it opens for the first time it chooses a volume, a range and a segment by itself
            edit_within_doubt(self._scene, segmentation, row["segment"], maps)
            look_at(self._scene, (row["r_mm"], row["a_mm"], row["s_mm"]))

    def _on_reviewed(self, checked: bool = False) -> None:
        row, table, number = self._chosen, self._table, self._ui.regionsTable.currentRow()
        if row is None:
            return
        mark_reviewed(table, number, not row[REVIEWED])
        rows = rows_of(table)
        for name in {one["segment"] for one in rows}:
            mark_segment_reviewed(self._segmentation, name, all(one[REVIEWED] for one in rows if one["segment"] == name))
        self.show(self._segmentation, self._maps)
        following = next((n for n in range(number + 1, len(rows)) if not rows[n][REVIEWED]), None)
        if not row[REVIEWED] and following is not None:
            self._ui.regionsTable.setCurrentCell(following, 0)


def _segment_texts(row: Row) -> tuple[str, str, str, str]:
    volume = _between(row["volume_ml"], row["volume_low_ml"], row["volume_high_ml"], 2)
    dice = _between(row["expected_dice"], row["dice_low"], row["dice_high"], 2)
    verdict = {"accept": _("accept"), "review": _("review"), "reject": _("reject")}.get(row["verdict"], row["verdict"])
    return row["segment"], volume, dice, "; ".join(part for part in (verdict, row["flags"]) if part)


def _region_texts(row: Row) -> tuple[str, str, str, str]:
    return row["segment"], f"{row['change_ml']:.3f}", f"{row['size_ml']:.3f}", "\N{CHECK MARK}" if row[REVIEWED] else ""


def _region_tip(row: Row) -> str:
    return _("R {r:.1f}, A {a:.1f}, S {s:.1f} mm").format(r=row["r_mm"], a=row["a_mm"], s=row["s_mm"])


def _between(value: float, low: float, high: float, digits: int) -> str:
    """A figure with its interval; '' for what is not known."""
    if math.isnan(value):
        return ""
    told = f"{value:.{digits}f}"
    return told if math.isnan(low) else f"{told} ({low:.{digits}f}\N{EN DASH}{high:.{digits}f})"
