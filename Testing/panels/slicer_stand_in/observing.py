"""Widgets listening to MRML nodes: an observation ends with its widget, with the node, or with the test."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
import vtk

from panels.slicer_stand_in.session import SESSION

_observations: list[tuple[Any, int]] = []


def observe(observed: Any, event: int, method: Callable[..., None], with_node: bool = False) -> tuple[Any, int]:
    """Call a widget's method at an event; with the node the event is about, if asked for. It does not keep the widget alive."""
    reference = weakref.WeakMethod(method)

    def on_event(caller: Any, event_name: str, node: Any = None) -> None:
        bound = reference()
        if bound is None or not shiboken6.isValid(bound.__self__):
            return
        try:
            bound(node) if with_node else bound()
        except Exception as error:  # VTK would print it and go on, too
            SESSION.keep_error(error)

    if with_node:
        on_event.CallDataType = vtk.VTK_OBJECT
    observation = (observed, observed.AddObserver(event, on_event))
    _observations.append(observation)
    return observation


def stop_observing(observations: list[tuple[Any, int]]) -> None:
    """End some observations and forget them."""
    for observation in observations:
        observation[0].RemoveObserver(observation[1])
        if observation in _observations:
            _observations.remove(observation)
    observations.clear()


def stop_observing_all() -> None:
    """At the end of a test."""
    stop_observing(list(_observations))
    _observations.clear()
