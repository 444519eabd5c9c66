"""Which Python side belongs to which of Qt's objects."""

from __future__ import annotations

import weakref
from typing import Any

import shiboken6

living: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_kept: dict[int, Any] = {}
"""Python sides that nobody in Python holds while Qt holds the object."""


def address_of(real: Any) -> int:
    return shiboken6.getCppPointer(real)[0]


def keep(real: Any, proxy: Any) -> None:
    """Keep a Python side for as long as Qt keeps its object."""
    _kept[address_of(real)] = living[address_of(real)] = proxy


def forget_the_dead() -> None:
    """Let go of the Python sides of objects that Qt has deleted."""
    for address in [address for address, proxy in _kept.items() if not shiboken6.isValid(proxy._stand_in_real)]:
        del _kept[address]
