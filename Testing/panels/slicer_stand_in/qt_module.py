"""The module `qt`: Qt's classes as PythonQt shows them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from panels.slicer_stand_in import qt_body, questions
from panels.slicer_stand_in.api import Api
from panels.slicer_stand_in.proxy import Proxy
from panels.slicer_stand_in.proxy_classes import make_class
from panels.slicer_stand_in.qt_methods import METHODS
from panels.slicer_stand_in.qt_unrecorded import UNRECORDED

_BASES = {
    "QWidget": "QObject",
    "QAbstractButton": "QWidget",
    "QPushButton": "QAbstractButton",
    "QToolButton": "QAbstractButton",
    "QCheckBox": "QAbstractButton",
    "QRadioButton": "QAbstractButton",
    "QFrame": "QWidget",
    "QLabel": "QFrame",
    "QComboBox": "QWidget",
    "QLineEdit": "QWidget",
    "QAbstractSpinBox": "QWidget",
    "QSpinBox": "QAbstractSpinBox",
    "QDoubleSpinBox": "QAbstractSpinBox",
    "QAbstractSlider": "QWidget",
    "QSlider": "QAbstractSlider",
    "QScrollBar": "QAbstractSlider",
    "QProgressBar": "QWidget",
    "QGroupBox": "QWidget",
    "QTabWidget": "QWidget",
    "QStackedWidget": "QFrame",
    "QSplitter": "QFrame",
    "QAbstractScrollArea": "QFrame",
    "QScrollArea": "QAbstractScrollArea",
    "QTextEdit": "QAbstractScrollArea",
    "QPlainTextEdit": "QAbstractScrollArea",
    "QTextBrowser": "QTextEdit",
    "QAbstractItemView": "QAbstractScrollArea",
    "QTableView": "QAbstractItemView",
    "QTableWidget": "QTableView",
    "QHeaderView": "QAbstractItemView",
    "QLayout": "QObject",
    "QBoxLayout": "QLayout",
    "QHBoxLayout": "QBoxLayout",
    "QVBoxLayout": "QBoxLayout",
    "QFormLayout": "QLayout",
    "QGridLayout": "QLayout",
    "QTimer": "QObject",
    "QProcess": "QObject",
    "QSettings": "QObject",
    "QAction": "QObject",
    "QShortcut": "QObject",
    "QMenu": "QWidget",
    "QDialog": "QWidget",
    "QMessageBox": "QDialog",
    "QFileDialog": "QDialog",
    "QAbstractItemModel": "QObject",
    "QItemSelectionModel": "QObject",
    "QTextDocument": "QObject",
    "QClipboard": "QObject",
    "QStyle": "QObject",
}
_VALUES = """
    QEvent QSize QPoint QRect QMargins QByteArray QSizePolicy QPalette QBrush QCursor QColor QFont QFontMetrics QIcon QPixmap QUrl
    QKeySequence QFileInfo QModelIndex QItemSelection QTableWidgetItem QLayoutItem QMetaObject QLocale QRegion QTextCursor
    QDesktopServices
"""
_BODIES = {
    "QWidget": qt_body.WIDGET,
    "QTimer": qt_body.TIMER,
    "QMenu": qt_body.MENU,
    "QFileDialog": questions.FILE_DIALOG,
    "QMessageBox": questions.MESSAGE_BOX,
    "QDesktopServices": qt_body.DESKTOP_SERVICES,
}
_CONSTRUCTORS = {"QWidget": "QWidget parent", "QLabel": "QWidget parent, Qt::WindowFlags f"}
_STATIC = "processEvents setOverrideCursor restoreOverrideCursor clipboard palette font instance focusWidget style activeWindow beep"


def _real(name: str) -> type:
    return next(getattr(module, name) for module in (QtWidgets, QtGui, QtCore) if hasattr(module, name))


def build() -> ModuleType:
    """A new module `qt` with all classes the stand-in has."""
    module = ModuleType("qt", "Qt as PythonQt shows it: a stand-in.")
    module.QObject = make_class("qt", "QObject", Proxy, QtCore.QObject, METHODS["QObject"], body=qt_body.OBJECT)
    module.QObject._first_constructor = "QObject parent"
    for name, base in _BASES.items():
        setattr(module, name, make_class("qt", name, getattr(module, base), _real(name), METHODS.get(name, ""), body=_BODIES.get(name)))
    for name in _VALUES.split():
        setattr(module, name, make_class("qt", name, Proxy, _real(name), METHODS.get(name, ""), body=_BODIES.get(name)))
    for name in ("QKeyEvent", "QMouseEvent"):
        setattr(module, name, make_class("qt", name, module.QEvent, _real(name), METHODS[name]))
    for name, arguments in _CONSTRUCTORS.items():
        getattr(module, name)._first_constructor = arguments
    module.QApplication = make_class("qt", "QApplication", module.QObject, QtWidgets.QApplication, _STATIC)
    module.Qt = make_class("qt", "Qt", Proxy, QtCore.Qt)
    for name in ("Signal", "Slot", "Property"):
        setattr(module, name, qt_body.Unoffered)
    for name, api in UNRECORDED.items():
        cls = getattr(module, name)
        cls._api = Api(api.properties, api.signals, {**cls._api.slots, **api.slots})
    module.__getattr__ = _refuse
    return module


def _refuse(name: str) -> Any:
    if not name.startswith("_") and any(hasattr(module, name) for module in (QtWidgets, QtGui, QtCore)):
        from panels.slicer_stand_in.session import NotInStandIn

        raise NotInStandIn(f"the class qt.{name}")
    raise AttributeError(f"module 'qt' has no attribute '{name}'")
