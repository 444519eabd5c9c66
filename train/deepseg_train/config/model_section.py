"""The section `model` of a config: what a user of the model must know, as a `ModelSpec` that lacks weights, provenance and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deepseg.errors import ModelError
from deepseg.networks.presets import completed_kwargs
from deepseg.spec import SCHEMA_VERSION, ModelSpec, OutputSpec, ResamplingSpec, WindowSpec
from deepseg_train.errors import ConfigError

_USUAL_WINDOW = {key: value for key, value in asdict(WindowSpec((1, 1, 1))).items() if key != "size"}
_UNFINISHED = {"weights": {"not-trained-yet.safetensors": "0" * 64}, "provenance": {}, "metrics": {}}


def model_of(section: Any, where: str) -> ModelSpec:
    """The spec that a section tells; what it leaves out is as in DeepSeg's own models, and a network's settings are those of its preset.

    Raises:
        ConfigError: the section is no mapping, or does not hold what the model file's schema asks for.
    """
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where} must be a mapping; got {section!r}.")
    known = {
        "crop": "none",
        "resampling": asdict(ResamplingSpec()),
        **section,
        "labels": [_label(label) for label in section.get("labels", [])],
        "inputs": [{**item, "steps": [{"parameters": {}, **step} for step in item.get("steps", [])]} for item in section.get("inputs", [])],
        "window": {**_USUAL_WINDOW, **section.get("window", {})},
        "output": {**asdict(OutputSpec()), **section.get("output", {})},
        "schema_version": SCHEMA_VERSION,
        **_UNFINISHED,
    }
    try:
        known["network"] = _completed(known)
        return ModelSpec.from_json(known, where)
    except ModelError as error:
        raise ConfigError(str(error)) from error


def _label(label: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"type_modifier": None, "region": None, "region_modifier": None}
    coded = label.get("terminology")
    return {**label, "terminology": {**empty, **coded} if coded else None}


def _completed(model: Mapping[str, Any]) -> Any:
    """The network with its preset's settings in place of those it does not give; as it is where the schema would refuse it anyway."""
    network, window = model.get("network"), model["window"].get("size")
    if not isinstance(network, Mapping) or "name" not in network or window is None:
        return network
    channels = len(model["labels"]) + (model["output"]["activation"] == "softmax")
    spacing = tuple(side or 1.0 for side in model.get("spacing_mm", (1.0, 1.0, 1.0)))
    given = network.get("kwargs", {})
    try:
        kwargs = completed_kwargs(network["name"], given, channels=len(model["inputs"]), labels=channels, window=tuple(window), spacing=spacing)
    except ModelError:
        if not given:
            raise
        # No preset suits this window; the settings may.
        return network
    return {**network, "kwargs": kwargs}
