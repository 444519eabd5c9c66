"""Python sides of Qt's objects with PythonQt's manners: properties are attributes, unknown names are refused in PythonQt's words.

Each class here holds one of PySide6's objects and offers only what Slicer 5.8.1 offers: what was recorded of the class, what its bases have, and
the C++ methods listed for it (`qt_methods`). An object has one Python side for as long as it lives; without a parent it goes with it.
"""

from __future__ import annotations

from typing import Any

import shiboken6
from PySide6.QtCore import QObject

from panels.slicer_stand_in.api import Api
from panels.slicer_stand_in.calls import call
from panels.slicer_stand_in.registry import address_of, keep, living
from panels.slicer_stand_in.session import NotInStandIn
from panels.slicer_stand_in.signals import Signal
from panels.slicer_stand_in.values import enumerators, to_python, to_qt
from panels.slicer_stand_in.virtuals import real_class_for


class BuiltinQtSlot:
    """A method of a C++ object."""

    def __init__(self, proxy: Proxy, name: str, signatures: list[str]) -> None:
        self._proxy, self._name, self._signatures = proxy, name, signatures

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if keywords:
            raise ValueError(f"Called {self._name}() with keyword arguments, but called slot does not support kwargs.")
        real = alive(self._proxy)
        method = getattr(real, self._name, None)
        if method is None:
            raise NotInStandIn(f"the method {type(self._proxy)._class_name()}.{self._name}")
        return to_python(call(method, tuple(to_qt(argument) for argument in arguments), self._name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BuiltinQtSlot) and (other._proxy, other._name) == (self._proxy, self._name)

    def __hash__(self) -> int:
        return hash((id(self._proxy), self._name))

    def takes_at_most(self, given: int) -> int:
        """Of a signal's values a C++ slot takes as many as one of its signatures has."""
        counts = [signature.count(",") + (not signature.endswith("()")) for signature in self._signatures] or [given]
        return max((count for count in counts if count <= given), default=given)


BuiltinQtSlot.__name__ = "builtin_qt_slot"


class ProxyMeta(type):
    """Enumerators are integers on the class; methods can be called there too, static ones and those of a base."""

    def __getattr__(cls, name: str) -> Any:
        real_class = cls.__dict__.get("_real_class") or next((b._real_class for b in cls.__mro__ if b.__dict__.get("_real_class")), None)
        if real_class and not name.startswith("_"):
            found = enumerators(real_class).get(name)
            if found is not None:
                return found
            if (cls._member(name) or ("",))[0] == "slots" and hasattr(real_class, name):
                method = getattr(real_class, name)
                return lambda *arguments: to_python(call(method, tuple(to_qt(argument) for argument in arguments), name))
        raise AttributeError(f"type object '{cls.__name__}' has no attribute '{name}'")

    def __instancecheck__(cls, instance: Any) -> bool:
        """Slicer's own widgets are not seen as instances of qt.QWidget there, as the comments in its parameterNodeWrapper say."""
        inside = super().__instancecheck__(instance)
        return inside and (
            cls.__module__ == type(instance).__module__ or cls.__module__ != "qt" or wrapper_class(type(instance)).__module__ != "slicer"
        )


class Proxy(metaclass=ProxyMeta):
    """The base of all Python sides.

    Attributes of classes:
        _real_class: the class of PySide6 (or of the stand-in, made from one) of the objects.
        _api: what this class adds to its bases.
        _first_constructor: the arguments PythonQt names when it refuses keyword arguments.
    """

    _is_proxy = True
    _real_class: type | None = None
    _api = Api()
    _first_constructor = "QWidget parent"

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        cls = wrapper_class(type(self))
        if keywords:
            name = cls.__name__
            raise ValueError(f"Called {name}({cls._first_constructor}) -> {name} with keyword arguments, but called slot does not support kwargs.")
        if cls._real_class is None:
            raise NotInStandIn(f"constructing {cls.__name__}")
        bind(self, call(real_class_for(type(self), cls), tuple(to_qt(argument) for argument in arguments), cls.__name__))

    @classmethod
    def _class_name(cls) -> str:
        return wrapper_class(cls).__name__

    @classmethod
    def _member(cls, name: str) -> tuple[str, Any] | None:
        """What a name is: a property's type and whether it can be written, a signal's or a slot's signatures."""
        apis = [base._api for base in cls.__mro__ if "_api" in base.__dict__]
        for kind in ("properties", "signals", "slots"):
            for api in apis:
                if name in getattr(api, kind):
                    return kind, getattr(api, kind)[name]
        return None

    def className(self) -> str:  # noqa: N802
        return type(self)._class_name()

    def inherits(self, name: str) -> bool:
        return any(base.__name__ == name for base in type(self).__mro__)

    def __getattr__(self, name: str) -> Any:
        cls = type(self)
        if name.startswith("__") or name == "_stand_in_real":
            raise AttributeError(name)
        real = alive(self)
        if name == "name" and isinstance(real, QObject) and cls._member(name) is None:
            name = "objectName"
        kind, what = cls._member(name) or (None, None)
        if kind == "properties":
            return self._read(name)
        if kind == "signals":
            return Signal(real, cls._class_name(), next(iter(what)))
        if kind == "slots":
            return BuiltinQtSlot(self, name, what)
        found = enumerators(type(real)).get(name)
        if found is not None:
            return found
        if isinstance(real, QObject):
            if name.encode() in [bytes(item.data()) for item in real.dynamicPropertyNames()]:
                return to_python(real.property(name))
            child = next((child for child in real.children() if child.objectName() == name), None)
            if child is not None:
                return to_python(child)
        if not name.startswith("_") and any(name in vars(base) for base in type(real).__mro__ if base.__module__.startswith("PySide6")):
            raise NotInStandIn(f"the method {cls._class_name()}.{name} (qt_methods.py lists what PythonQt adds to a class)")
        raise AttributeError(f"{cls._class_name()} has no attribute named '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        cls = type(self)
        real = self.__dict__.get("_stand_in_real")
        if real is None:
            raise ValueError(f"{cls.__name__} has no C++ object yet: call the constructor of its base first")
        if name == "name" and isinstance(real, QObject) and cls._member(name) is None:
            name = "objectName"
        kind, what = cls._member(name) or (None, None)
        if kind == "properties":
            if not what[1]:
                raise AttributeError(f"Property '{name}' of {cls.__name__} object is not writable")
            self._write(name, what[0], value)
        elif kind == "slots":
            raise AttributeError(f"Slot '{name}' can not be overwritten on {cls.__name__} object")
        elif kind == "signals":
            raise AttributeError(f"Signal '{name}' can not be overwritten on {cls.__name__} object")
        elif isinstance(real, QObject) and name.encode() in [bytes(item.data()) for item in real.dynamicPropertyNames()]:
            real.setProperty(name, to_qt(value))
        elif cls is not wrapper_class(cls):
            object.__setattr__(self, name, value)
        else:
            raise AttributeError(f"'{name}' does not exist on {cls.__name__} and creating new attributes on C++ objects is not allowed")

    def _read(self, name: str) -> Any:
        real = alive(self)
        if real.metaObject().indexOfProperty(name) < 0:
            raise NotInStandIn(f"the property {type(self)._class_name()}.{name}")
        return to_python(real.property(name))

    def _write(self, name: str, kind: str, value: Any) -> None:
        real = alive(self)
        if real.metaObject().indexOfProperty(name) < 0:
            raise NotInStandIn(f"the property {type(self)._class_name()}.{name}")
        if kind == "QString" and not isinstance(value, str):
            if value is None:
                raise ValueError(f"None for the text {type(self)._class_name()}.{name}: what PythonQt does then was not recorded")
            value = str(value)
        if kind in ("int", "double", "bool") and not isinstance(value, (int, float)):
            raise AttributeError(f"Property '{name}' of type '{kind}' does not accept an object of type {type(value).__name__} ({value!r})")
        value = {"int": int, "double": float, "bool": bool}.get(kind, to_qt)(value)
        real.setProperty(name, value)

    def __del__(self) -> None:
        """Qt may still hold the object: then its Python side stays as well."""
        real = self.__dict__.get("_stand_in_real")
        if isinstance(real, QObject) and shiboken6.isValid(real) and real.parent() is not None:
            keep(real, self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        real = self.__dict__.get("_stand_in_real")
        return f"{type(self).__name__} ({type(self)._class_name()} at: 0x{address_of(real):x})" if shiboken6.isValid(real) else type(self).__name__


def bind(proxy: Proxy, real: Any) -> None:
    """Make `proxy` the Python side of `real`."""
    object.__setattr__(proxy, "_stand_in_real", real)
    if isinstance(real, QObject):
        living[address_of(real)] = proxy


def alive(proxy: Proxy) -> Any:
    """The object behind; refuses one that Qt has deleted, in PythonQt's words."""
    real = proxy.__dict__.get("_stand_in_real")
    if real is None or not shiboken6.isValid(real):
        raise ValueError(f"Trying to access a destroyed {type(proxy)._class_name()} object")
    return real


def wrapped(real: QObject, cls: type[Proxy]) -> Proxy:
    """The one Python side of an object; a new one of class `cls` where it has none."""
    found = living.get(address_of(real))
    if found is not None and found.__dict__.get("_stand_in_real") is not None and shiboken6.isValid(found._stand_in_real):
        return found
    proxy = cls.__new__(cls)
    bind(proxy, real)
    return proxy


def wrapper_class(cls: type) -> type:
    return next((base for base in cls.__mro__ if base.__dict__.get("_is_wrapper")), cls)
