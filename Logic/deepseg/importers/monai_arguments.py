"""Arguments of a bundle's components: only what is known is taken, and everything else that is given must be known to do nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from deepseg.errors import ModelError
from deepseg.importers.monai_config import Component
from deepseg.importers.monai_limits import shown

KEYS = frozenset({"keys", "allow_missing_keys", "lazy"})
"""Arguments of every dictionary transform that do not change numbers."""


def arguments(component: Component, known: dict[str, Any], ignored: Collection[str] = ()) -> dict[str, Any]:
    """Values of the known arguments, or their defaults, all of them resolved.

    Args:
        component: the part of the config.
        known: default by name.
        ignored: names of arguments that change nothing here; they are not even resolved.

    Raises:
        ModelError: another argument is given.
    """
    others = component.given - set(known) - set(ignored)
    if others:
        raise ModelError(f"{named(component)} has the argument '{min(others)}', which DeepSeg does not know; the bundle cannot be imported.")
    return {name: component.argument(name, default) for name, default in known.items()}


def refuse(component: Component, why: str) -> ModelError:
    """The error for a component that is known but asks for what DeepSeg cannot do."""
    return ModelError(f"{named(component)} {why}; the bundle cannot be imported.")


def named(component: Component) -> str:
    return f"The bundle's {component.target} ('{component.where}')"


def numbers(component: Component, value: Any, what: str, count: int | None = None) -> list[float]:
    """A number or a list of numbers, as a list; `count` of them where that is given and the list may be repeated from one number.

    Raises:
        ModelError: it is something else.
    """
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in items):
        raise refuse(component, f"has {what} {shown(value)}, where numbers were expected")
    if count is not None and len(items) != count:
        if isinstance(value, list):
            raise refuse(component, f"has {what} {shown(value)}, where {count} numbers were expected")
        items = items * count
    return items


def transforms_of(value: Any, what: str) -> list[Component]:
    """The transforms of a `Compose`, those within further ones included, in order.

    Raises:
        ModelError: it is something else.
    """
    if value is None:
        return []
    if isinstance(value, Component):
        if value.monai_name("monai.transforms") != "Compose":
            return [value]
        return transforms_of(arguments(value, {"transforms": []}, ("map_items", "unpack_items", "log_stats", "lazy"))["transforms"], what)
    if isinstance(value, list):
        return [component for item in value for component in transforms_of(item, what)]
    raise ModelError(f"The bundle's {what} are {shown(value)}, where transforms were expected; the bundle cannot be imported.")


def transform_name(component: Component) -> str:
    """A dictionary transform's name in its usual spelling: 'Spacingd' for 'monai.transforms.SpacingDict'; '' for what is not MONAI's."""
    name = component.monai_name("monai.transforms") or ""
    for ending in ("Dict", "D"):
        if name.endswith(ending):
            return name.removesuffix(ending) + "d"
    return name
