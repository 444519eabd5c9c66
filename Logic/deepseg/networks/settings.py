"""Which settings each registered network knows, so that a misspelt one can be told before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

_MONAI, _PARTS = "monai.networks.nets", "deepseg.networks.unet_parts"
_TAKEN_BY: dict[str, tuple[tuple[str, str], ...]] = {
    "ChannelDropoutDynUNet": (("deepseg.networks.channel_dropout_dynunet", "ChannelDropoutDynUNet"),),
    "DiNTS": (("deepseg.networks.dints", "build_dints"), (_MONAI, "DiNTS")),
    "HeteroscedasticDynUNet": (("deepseg.networks.heteroscedastic_dynunet", "HeteroscedasticDynUNet"),),
    "PlainConvUNet": (("deepseg.networks.plain_conv_unet", "build_plain_conv_unet"), (_PARTS, "Recipe")),
    "ResidualEncoderUNet": (("deepseg.networks.residual_encoder_unet", "build_residual_encoder_unet"), (_PARTS, "Recipe")),
    "SeparableUNet": (("deepseg.networks.separable_unet", "SeparableUNet"),),
    "SliceBySlice": (("deepseg.networks.slice_by_slice", "SliceBySlice"),),
}
"""Module and name of what takes a network's settings: a class, or a function and what it passes the others on to. Left out is MONAI's own class."""


def known_settings(name: str) -> tuple[str, ...]:
    """Names of the settings that a registered network may be given; loads what builds it."""
    takers = [getattr(import_module(module), taker) for module, taker in _TAKEN_BY.get(name, ((_MONAI, name),))]
    return tuple(dict.fromkeys(setting for taker in takers for setting in _parameters(taker)))


def _parameters(taker: Callable[..., Any]) -> list[str]:
    """A function's parameters; of a class those of its parents too, as far as they are passed on (`**kwargs`)."""
    if not inspect.isclass(taker):
        return _named(taker)[0]
    found: list[str] = []
    for kind in inspect.getmro(taker):
        if "__init__" in vars(kind):
            own, passes_on = _named(kind.__init__)
            found += own
            if not passes_on:
                break
    return found


def _named(function: Callable[..., Any]) -> tuple[list[str], bool]:
    """Names of a function's parameters but `self`, and whether it takes any others."""
    parameters = inspect.signature(function).parameters.values()
    named = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and one.name != "self"]
    return named, any(one.kind == one.VAR_KEYWORD for one in parameters)
