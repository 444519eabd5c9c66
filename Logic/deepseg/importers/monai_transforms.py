"""A bundle's preprocessing, read transform by transform: orientation, spacing, and what happens to the intensities of each channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deepseg.errors import ModelError
from deepseg.importers.monai_arguments import KEYS, arguments, named, numbers, refuse, transform_name
from deepseg.importers.monai_config import Component
from deepseg.importers.monai_intensities import INTENSITIES, Channel, Spacing, refuse_other_types
from deepseg.importers.monai_limits import shown
from deepseg.spec import IntensityStep


@dataclass(frozen=True)
class Preprocessing:
    """A bundle's preprocessing in DeepSeg's words.

    Attributes:
        keys: the image each channel comes from.
        steps: intensity steps of each channel.
        normalise_first: they come before the image is resampled.
    """

    keys: tuple[str, ...]
    orientation: str
    spacing_mm: Spacing
    steps: tuple[tuple[IntensityStep, ...], ...]
    normalise_first: bool


def read_preprocessing(transforms: list[Component], channel_count: int) -> Preprocessing:
    """Read a chain of transforms; `channel_count` is that of the network.

    Raises:
        ModelError: a transform is unknown, or asks for what DeepSeg cannot do.
    """
    images: dict[str, list[Channel]] = {}
    for component in transforms:
        name = transform_name(component)
        if name == "LoadImaged":
            _load(component, images)
        elif name == "ConcatItemsd":
            _concatenate(component, images)
        elif name in HARMLESS:
            refuse_other_types(component)
        elif name in TRANSFORMS:
            for key in _keys(component):
                if key in images:
                    images[key] = _as_many(images[key], channel_count if len(images) == 1 else 1)
                    TRANSFORMS[name](component, images[key])
        else:
            known = ", ".join(sorted({*TRANSFORMS, *HARMLESS, "LoadImaged", "ConcatItemsd"}))
            raise ModelError(
                f"{named(component)} is a preprocessing step that DeepSeg does not have, so the bundle cannot be imported. It has {known}."
            )
    if not images:
        raise ModelError("The bundle's preprocessing loads no image with LoadImaged; the bundle cannot be imported.")
    key = "image" if "image" in images else next(iter(images))
    return _combined(_as_many(images[key], channel_count if len(images) == 1 else 1), channel_count)


def _combined(channels: list[Channel], channel_count: int) -> Preprocessing:
    first = channels[0]
    if len(channels) != channel_count:
        raise ModelError(f"The bundle's preprocessing makes {len(channels)} channels, its network takes {channel_count}; it cannot be imported.")
    if any((channel.orientation, channel.spacing_mm) != (first.orientation, first.spacing_mm) for channel in channels):
        raise ModelError("The bundle's preprocessing brings its images to different grids; DeepSeg has one for all channels.")
    resampled = first.spacing_mm is not None and any(first.spacing_mm)
    if resampled and any(channel.before for channel in channels) and any(channel.after for channel in channels):
        raise ModelError("The bundle changes intensities before Spacingd and after it; DeepSeg does either, so the bundle cannot be imported.")
    return Preprocessing(
        tuple(channel.key for channel in channels),
        first.orientation or "IJK",
        first.spacing_mm or (None, None, None),
        tuple((*channel.before, *channel.after) for channel in channels),
        resampled and any(channel.before for channel in channels),
    )


def _as_many(channels: list[Channel], count: int) -> list[Channel]:
    """An image that was only loaded may hold all channels of the network; how many, only the network tells."""
    if len(channels) == 1 and count > 1:
        return [Channel(channels[0].key, channels[0].orientation, channels[0].spacing_mm) for _ in range(count)]
    return channels


def _keys(component: Component) -> list[str]:
    keys = component.argument("keys")
    return keys if isinstance(keys, list) else [keys]


def _load(component: Component, images: dict[str, list[Channel]]) -> None:
    options = {"reverse_indexing": False, "affine_lps_to_ras": True}
    ignored = KEYS | {"reader", "image_only", "ensure_channel_first", "simple_keys", "meta_keys", "meta_key_postfix", "overwriting"}
    ignored |= {"prune_meta_pattern", "prune_meta_sep", "expanduser"}
    refuse_other_types(component)
    given = arguments(component, options, ignored | {"dtype"})
    if given["reverse_indexing"] or not given["affine_lps_to_ras"]:
        raise refuse(component, "reads the axes of images in another order, which DeepSeg does not")
    for key in _keys(component):
        images[key] = [Channel(key)]


def _concatenate(component: Component, images: dict[str, list[Channel]]) -> None:
    given = arguments(component, {"name": "image", "dim": 0}, KEYS)
    missing = [key for key in _keys(component) if key not in images]
    if given["dim"] != 0 or missing:
        raise refuse(component, f"joins {shown(missing) if missing else 'another dimension than the channels'}, which DeepSeg cannot")
    images[given["name"]] = [channel for key in _keys(component) for channel in images[key]]


def _orient(component: Component, channels: list[Channel]) -> None:
    given = arguments(component, {"axcodes": None, "as_closest_canonical": False, "labels": None}, KEYS)
    if given["labels"] not in (None, [["L", "R"], ["P", "A"], ["I", "S"]]):
        raise refuse(component, "has axes with names of its own")
    codes = "RAS" if given["as_closest_canonical"] else given["axcodes"]
    codes = "".join(codes) if isinstance(codes, list) and all(isinstance(code, str) for code in codes) else codes
    if not isinstance(codes, str) or sorted("".join({"L": "R", "P": "A", "I": "S"}.get(code, code) for code in codes)) != ["A", "R", "S"]:
        raise refuse(component, f"asks for the axes {shown(codes)}, where three like 'RAS' were expected")
    for channel in channels:
        if channel.spacing_mm is not None and any(channel.spacing_mm):
            raise refuse(component, "comes after Spacingd, where the grids of flipped images differ by a part of a voxel from DeepSeg's")
        channel.orientation = codes


def _space(component: Component, channels: list[Channel]) -> None:
    options = {"pixdim": None, "diagonal": False, "mode": "bilinear", "padding_mode": "border", "align_corners": False, "scale_extent": False}
    given = arguments(component, {**options, "min_pixdim": None, "max_pixdim": None}, KEYS | {"dtype", "recompute_affine", "ensure_same_shape"})
    alike = {
        name: given[name][0] if isinstance(given[name], list) and len(set(given[name])) == 1 else given[name] for name in ("mode", "padding_mode")
    }
    if alike != {"mode": "bilinear", "padding_mode": "border"}:
        raise refuse(
            component, f"resamples with {shown(alike['mode'])} and {shown(alike['padding_mode'])}, where DeepSeg does MONAI's 'bilinear' and 'border'"
        )
    for name in ("diagonal", "scale_extent", "min_pixdim", "max_pixdim"):
        if given[name] not in (False, None, [False]):
            raise refuse(component, f"has {name} = {shown(given[name])}, which DeepSeg does not do")
    if any(align := given["align_corners"] if isinstance(given["align_corners"], list) else [given["align_corners"]]):
        raise refuse(component, f"has align_corners = {shown(align)}, which DeepSeg does not do")
    pixdim = given["pixdim"] if isinstance(given["pixdim"], list) else [given["pixdim"]]
    # MONAI repeats the last number, and what is not positive keeps the image's own.
    sides = [None if side is None or numbers(component, side, "pixdim")[0] <= 0 else float(side) for side in pixdim[:3]]
    sides += sides[-1:] * (3 - len(sides))
    for channel in channels:
        if channel.spacing_mm is not None:
            raise refuse(component, "resamples the image a second time, which DeepSeg does not")
        channel.spacing_mm = tuple(sides)


TRANSFORMS: dict[str, Callable[[Component, list[Channel]], None]] = {
    **INTENSITIES,
    "Orientationd": _orient,
    "Spacingd": _space,
}

HARMLESS = frozenset(
    {"CastToTyped", "DeleteItemsd", "EnsureChannelFirstd", "EnsureTyped", "FromMetaTensord", "Identityd", "SelectItemsd", "ToDeviced", "ToTensord"}
)
"""What changes neither numbers nor grids here: images are float32 with their channels first from the beginning."""
