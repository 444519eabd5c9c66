"""Making the classes of the modules `qt`, `ctk` and `slicer`."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject

from panels.slicer_stand_in.api import recorded
from panels.slicer_stand_in.proxy import Proxy, ProxyMeta, bind, wrapped
from panels.slicer_stand_in.values import register_wrapper


def make_class(
    module: str, name: str, base: type[Proxy], real_class: type | None, methods: str = "", key: str | None = None, body: dict[str, Any] | None = None
) -> type[Proxy]:
    """A class of the module `qt`, `ctk` or `slicer` for objects of `real_class`.

    Args:
        methods: the C++ methods that PythonQt adds to it.
        key: where its API was recorded, where not under its own name.
        body: methods written in Python.
    """
    api = recorded(key or f"{module}.{name}").with_methods(methods)
    if module == "qt" and real_class is not None:
        setters = [f"set{p[:1].upper()}{p[1:]}" for p, (_, writable) in api.properties.items() if writable]
        getters = [f"is{p[:1].upper()}{p[1:]}" for p, (kind, _) in api.properties.items() if kind == "bool"]
        api = api.with_methods(" ".join(method for method in setters + getters if hasattr(real_class, method)))
    cls = ProxyMeta(name, (base,), {"__module__": module, "_real_class": real_class, "_api": api, "_is_wrapper": True, **(body or {})})
    if real_class is not None:
        register_wrapper(
            real_class, (lambda real: wrapped(real, cls)) if issubclass(real_class, QObject) else (lambda value: _wrapped_value(value, cls))
        )
    return cls


def _wrapped_value(value: Any, cls: type[Proxy]) -> Proxy:
    proxy = cls.__new__(cls)
    bind(proxy, value)
    return proxy
