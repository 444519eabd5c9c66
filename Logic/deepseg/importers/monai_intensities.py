"""A bundle's intensity transforms as DeepSeg's steps, channel by channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deepseg.importers.monai_arguments import KEYS, arguments, numbers, refuse
from deepseg.importers.monai_config import Component
from deepseg.importers.monai_limits import shown
from deepseg.spec import IntensityStep

Spacing = tuple[float | None, float | None, float | None]


@dataclass
class Channel:
    """What is done to one channel, as far as it was read.

    Attributes:
        key: name of the image it comes from.
        orientation: axes of the model's grid; None: as stored.
        spacing_mm: voxel size of the model's grid; None: the image is not resampled.
        before, after: intensity steps before and after resampling.
    """

    key: str
    orientation: str | None = None
    spacing_mm: Spacing | None = None
    before: list[IntensityStep] = field(default_factory=list)
    after: list[IntensityStep] = field(default_factory=list)

    def add(self, step: IntensityStep) -> None:
        (self.before if self.spacing_mm is None else self.after).append(step)


def refuse_other_types(component: Component) -> None:
    """Numbers are float32 everywhere; 64 bits in between change nothing that can be seen."""
    for dtype in (given if isinstance(given := component.argument("dtype"), list) else [given]) if "dtype" in component.given else []:
        if dtype not in (None, "float32", "float64", "float"):
            raise refuse(component, f"makes numbers of type {shown(dtype)}, where DeepSeg has float32")


def _scale_range(component: Component, channels: list[Channel]) -> None:
    given = arguments(component, {"a_min": None, "a_max": None, "b_min": None, "b_max": None, "clip": False}, KEYS | {"dtype"})
    refuse_other_types(component)
    low, high = (numbers(component, given[name], name)[0] for name in ("a_min", "a_max"))
    to_low, to_high = _target_range(component, given)
    _add(channels, IntensityStep("scale_range", {"low": low, "high": high, "to_low": to_low, "to_high": to_high, "clip": bool(given["clip"])}))


def _target_range(component: Component, given: dict[str, Any]) -> list[float]:
    if given["b_min"] is None and given["b_max"] is None and not given["clip"]:
        return [0.0, 1.0]
    return [numbers(component, given[name], name)[0] for name in ("b_min", "b_max")]


def _percentiles(component: Component, channels: list[Channel]) -> None:
    options = {"lower": None, "upper": None, "b_min": None, "b_max": None, "clip": False, "relative": False, "channel_wise": False}
    given = arguments(component, options, KEYS | {"dtype"})
    refuse_other_types(component)
    _refuse_joint(component, channels, given["channel_wise"])
    lower, upper = (numbers(component, given[name], name)[0] for name in ("lower", "upper"))
    to_low, to_high = _target_range(component, given)
    if given["relative"]:
        # As MONAI does it: the percentiles of the image become the same percentiles of the target range.
        width = to_high - to_low
        to_low, to_high = to_low + width * lower / 100, to_low + width * upper / 100
    _add(channels, IntensityStep("percentiles", {"lower": lower, "upper": upper, "to_low": to_low, "to_high": to_high, "clip": bool(given["clip"])}))


def _minmax(component: Component, channels: list[Channel]) -> None:
    given = arguments(component, {"minv": 0.0, "maxv": 1.0, "factor": None, "channel_wise": False}, KEYS | {"dtype"})
    refuse_other_types(component)
    if given["minv"] is None or given["maxv"] is None:
        raise refuse(component, "scales by a factor instead of to a range, which DeepSeg does not do")
    _refuse_joint(component, channels, given["channel_wise"])
    to_low, to_high = (numbers(component, given[name], name)[0] for name in ("minv", "maxv"))
    _add(channels, IntensityStep("minmax", {"to_low": to_low, "to_high": to_high}))


def _zscore(component: Component, channels: list[Channel]) -> None:
    given = arguments(component, {"subtrahend": None, "divisor": None, "nonzero": False, "channel_wise": False}, KEYS | {"dtype"})
    refuse_other_types(component)
    fixed = given["subtrahend"] is not None, given["divisor"] is not None
    if all(fixed) and not given["nonzero"]:
        pairs = zip(*(numbers(component, given[name], name, len(channels)) for name in ("subtrahend", "divisor")), strict=True)
        for channel, (shift, scale) in zip(channels, pairs, strict=True):
            channel.add(IntensityStep("shift_scale", {"shift": shift, "scale": scale}))
        return
    if any(fixed):
        raise refuse(component, "has fixed numbers together with the image's own, which DeepSeg does not do")
    _refuse_joint(component, channels, given["channel_wise"])
    _add(channels, IntensityStep("zscore_nonzero" if given["nonzero"] else "zscore"))


def _shift(component: Component, channels: list[Channel]) -> None:
    given = arguments(component, {"offset": None}, KEYS | {"safe", "meta_keys", "meta_key_postfix"})
    offset = numbers(component, given["offset"], "offset")[0]
    _add(channels, IntensityStep("shift_scale", {"shift": -offset, "scale": 1.0}))


def _add(channels: list[Channel], step: IntensityStep) -> None:
    for channel in channels:
        channel.add(step)


def _refuse_joint(component: Component, channels: list[Channel], channel_wise: Any) -> None:
    # MONAI takes any non-empty text for True, too.
    if len(channels) > 1 and not channel_wise:
        raise refuse(component, f"takes the statistics of all {len(channels)} channels together (channel_wise is not set), which DeepSeg does not do")


INTENSITIES: dict[str, Callable[[Component, list[Channel]], None]] = {
    "NormalizeIntensityd": _zscore,
    "ScaleIntensityRangePercentilesd": _percentiles,
    "ScaleIntensityRanged": _scale_range,
    "ScaleIntensityd": _minmax,
    "ShiftIntensityd": _shift,
}
