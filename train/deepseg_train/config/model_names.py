"""What the section `model` calls by DeepSeg's names, schemes of normalisation and settings of networks, looked up before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from deepseg.networks import NETWORKS
from deepseg.networks.settings import known_settings
from deepseg.normalisation import NORMALISATIONS
from deepseg_train.config.checking import check_keys, convert
from deepseg_train.errors import ConfigError

_NOT_SET = ("channel", "foreground")
"""What a scheme is given by the image, not by the config."""


def refuse_unknown_step(step: Mapping[str, Any], where: str) -> None:
    """Refuse a step of normalisation that no image could go through.

    Args:
        step: `scheme` and `parameters` as a config has them.
        where: what the step is called in messages, such as 'CONFIG.yaml: model.inputs[0].steps[0]'.

    Raises:
        ConfigError: the scheme or a parameter is unknown, with the nearest known one, or a parameter is missing.
    """
    scheme = convert(step.get("scheme"), Literal[tuple(NORMALISATIONS)], f"{where}.scheme")
    parameters = step["parameters"]
    if not isinstance(parameters, Mapping):
        raise ConfigError(f"{where}.parameters must be a mapping; got {parameters!r}.")
    known = [name for name in inspect.signature(NORMALISATIONS[scheme]).parameters if name not in _NOT_SET]
    check_keys(parameters, known, f"{where}.parameters")
    missing = [name for name in known if name not in parameters]
    if missing:
        raise ConfigError(f"{where}.parameters lacks {', '.join(missing)}, which the scheme {scheme} needs.")


def refuse_unknown_settings(network: str, kwargs: Mapping[str, Any], where: str) -> None:
    """Refuse settings that a network does not have; those of the network inside a SliceBySlice are looked at likewise.

    Args:
        network: its name; one that is not registered is left to whoever builds it.
        kwargs: its settings as a config has them.
        where: what they are called in messages, such as 'CONFIG.yaml: model.network.kwargs'.

    Raises:
        ConfigError: names the nearest known setting.
    """
    if network not in NETWORKS:
        return
    check_keys(kwargs, known_settings(network), where)
    inner = kwargs.get("kwargs")
    if network == "SliceBySlice" and isinstance(inner, Mapping):
        # The network inside is a DynUNet where none is named, as its preset has it.
        refuse_unknown_settings(kwargs.get("network", "DynUNet"), inner, f"{where}.kwargs")
