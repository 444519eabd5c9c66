"""nnU-Net's labels, regions and ignore label as DeepSeg's labels and the meaning of the network's channels."""

from __future__ import annotations

from typing import Any

from deepseg.errors import ModelError
from deepseg.importers.colors import distinct_color
from deepseg.volume import Label


def read_labels(dataset: dict[str, Any]) -> tuple[tuple[Label, ...], tuple[int, ...]]:
    """Labels of a dataset.json, and how they are painted where they are regions, which may overlap; () where they are exclusive.

    A region is a label of its own: the painted value `regions_class_order` gives for a channel belongs to every region that holds it.

    Raises:
        ModelError: the labels are not nnU-Net v2's, or DeepSeg cannot express them.
    """
    described = dataset.get("labels")
    if not isinstance(described, dict) or described.get("background") != 0:
        raise ModelError("dataset.json is not nnU-Net v2's: its 'labels' must give each name its value, with 'background' 0.")
    values = {name: _values(name, given) for name, given in described.items() if name != "ignore"}
    foreground = {name: held for name, held in values.items() if set(held) != {0}}
    if not foreground:
        raise ModelError("dataset.json names no label but the background; there is nothing to segment.")
    labels = tuple(Label(n + 1, name, distinct_color(n)) for n, name in enumerate(foreground))
    # nnU-Net's own rule for what makes a dataset one of regions.
    if any(len(held) > 1 for held in values.values()):
        return labels, _painting(list(foreground.values()), dataset.get("regions_class_order"))
    by_value = {held[0]: label.name for label, held in zip(labels, foreground.values(), strict=True)}
    if sorted(by_value) != list(range(1, len(labels) + 1)):
        told = ", ".join(f"{name} {held[0]}" for name, held in foreground.items())
        raise ModelError(f"dataset.json must number its labels from 1 without gaps or doubles, as nnU-Net demands; it has {told}.")
    return tuple(Label(value, by_value[value], distinct_color(value - 1)) for value in sorted(by_value)), ()


def _values(name: str, given: Any) -> tuple[int, ...]:
    values = tuple(given) if isinstance(given, list) else (given,)
    if not values or not all(type(value) is int and value >= 0 for value in values):
        raise ModelError(f"dataset.json gives the label '{name}' the value {given!r}; expected a whole number or a list of them.")
    return values


def _painting(regions: list[tuple[int, ...]], order: Any) -> tuple[int, ...]:
    """For each region's channel the bit field of all regions that hold the value it is painted with."""
    if not isinstance(order, list) or len(order) != len(regions):
        raise ModelError(
            f"dataset.json has {len(regions)} regions; its 'regions_class_order' must give each the value it is painted with, got {order}."
        )
    painting = tuple(sum(1 << n for n, region in enumerate(regions) if value in region) for value in order)
    if 0 in painting:
        raise ModelError(f"dataset.json paints the value {order[painting.index(0)]}, which is of none of its regions; it cannot be imported.")
    return painting
