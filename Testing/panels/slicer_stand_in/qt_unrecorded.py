"""Properties, signals and slots of Qt's classes that were not recorded in Slicer, as Qt 5.15 documents them; only what panels may use."""

from __future__ import annotations

from panels.slicer_stand_in.api import Api, by_name

_SLIDER = {"value": ("int", True), "minimum": ("int", True), "maximum": ("int", True), "singleStep": ("int", True), "pageStep": ("int", True)}

UNRECORDED = {
    "QObject": Api(
        {"objectName": ("QString", True)},
        by_name(["destroyed(QObject*)", "destroyed()", "objectNameChanged(QString)"]),
        by_name(["deleteLater()"]),
    ),
    "QScrollBar": Api(_SLIDER, by_name(["valueChanged(int)", "rangeChanged(int,int)"]), by_name(["setValue(int)"])),
    "QHeaderView": Api(
        {"stretchLastSection": ("bool", True), "defaultSectionSize": ("int", True), "highlightSections": ("bool", True)},
        by_name(["sectionClicked(int)", "sectionDoubleClicked(int)", "sectionResized(int,int,int)", "sectionPressed(int)"]),
        by_name(["resizeSections()"]),
    ),
    "QItemSelectionModel": Api(
        {},
        by_name(
            [
                "selectionChanged(QItemSelection,QItemSelection)",
                "currentChanged(QModelIndex,QModelIndex)",
                "currentRowChanged(QModelIndex,QModelIndex)",
            ]
        ),
        by_name(["clearSelection()", "clear()", "reset()"]),
    ),
    "QAbstractItemModel": Api({}, by_name(["modelReset()", "layoutChanged()", "rowsInserted(QModelIndex,int,int)"]), {}),
    "QShortcut": Api(
        {"key": ("QKeySequence", True), "enabled": ("bool", True), "autoRepeat": ("bool", True), "whatsThis": ("QString", True)},
        by_name(["activated()", "activatedAmbiguously()"]),
        by_name(["setEnabled(bool)"]),
    ),
    "QClipboard": Api({}, by_name(["dataChanged()"]), {}),
}
