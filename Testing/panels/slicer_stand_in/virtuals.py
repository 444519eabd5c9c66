"""Classes that scripts derive from Qt's: Qt's virtual functions go to the script's methods."""

from __future__ import annotations

from typing import Any

from panels.slicer_stand_in.registry import address_of, living
from panels.slicer_stand_in.session import SESSION
from panels.slicer_stand_in.values import to_python, to_qt

_NAMES = """
    closeEvent showEvent hideEvent resizeEvent moveEvent paintEvent enterEvent leaveEvent mousePressEvent mouseReleaseEvent
    mouseMoveEvent mouseDoubleClickEvent wheelEvent keyPressEvent keyReleaseEvent focusInEvent focusOutEvent changeEvent
    contextMenuEvent dragEnterEvent dropEvent eventFilter event timerEvent customEvent sizeHint minimumSizeHint
"""
VIRTUALS = frozenset(_NAMES.split())


def real_class_for(cls: type, wrapper: type) -> type:
    """The class to construct for `cls`, which is `wrapper` or a script's class derived from it."""
    derived = cls.__mro__[: cls.__mro__.index(wrapper)]
    overridden = [name for name in VIRTUALS if any(name in base.__dict__ for base in derived)]
    if not overridden:
        return wrapper._real_class
    return type(wrapper._real_class.__name__, (wrapper._real_class,), {name: _handing_over(name, wrapper._real_class) for name in overridden})


def _handing_over(name: str, real_class: type) -> Any:
    def virtual(self: Any, *arguments: Any) -> Any:
        proxy = living.get(address_of(self))
        if proxy is None:
            return getattr(real_class, name)(self, *arguments)
        try:
            return to_qt(getattr(proxy, name)(*[to_python(argument) for argument in arguments]))
        except Exception as error:  # as PythonQt: printed, and Qt goes on
            SESSION.keep_error(error)
            return False

    return virtual
