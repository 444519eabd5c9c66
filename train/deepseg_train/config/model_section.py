"""The section `model` of a config: what a user of the model must know, as a `ModelSpec` that lacks weights, provenance and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from deepseg.errors import ModelError
from deepseg.networks import NETWORKS
from deepseg.networks.presets import completed_kwargs
from deepseg.spec import SCHEMA_VERSION, InputSpec, IntensityStep, ModelSpec, NetworkSpec, OutputSpec, ResamplingSpec, WindowSpec
from deepseg_train.config.checking import check_keys
from deepseg_train.config.model_names import refuse_unknown_settings, refuse_unknown_step
from deepseg_train.errors import ConfigError

_UNFINISHED = {"weights": {"not-trained-yet.safetensors": "0" * 64}, "provenance": {}, "metrics": {}}
_KEYS = [f.name for f in fields(ModelSpec) if f.name not in (*_UNFINISHED, "calibration_sha256")]
_LABEL_KEYS = ("value", "name", "color", "terminology")
_USUAL_WINDOW = {key: value for key, value in asdict(WindowSpec((1, 1, 1))).items() if key != "size"}


def model_of(section: Any, where: str) -> ModelSpec:
    """The spec that a section tells; what it leaves out is as in DeepSeg's own models, and a network's settings are those of its preset.

    Raises:
        ConfigError: a key is unknown or of another kind, the schema of model files is not kept to, or it is a model that cannot be trained here.
    """
    section = _mapping(section, where, _KEYS)
    labels = [_label(label, f"{where}.labels[{n}]") for n, label in enumerate(_list(section.get("labels"), f"{where}.labels"))]
    inputs = [_input(item, f"{where}.inputs[{n}]") for n, item in enumerate(_list(section.get("inputs"), f"{where}.inputs"))]
    known = {
        "crop": "none",
        **section,
        "resampling": {**asdict(ResamplingSpec()), **_part(section, "resampling", where, ResamplingSpec)},
        "labels": labels,
        "inputs": inputs,
        "window": {**_USUAL_WINDOW, **_part(section, "window", where, WindowSpec)},
        "output": {**asdict(OutputSpec()), **_part(section, "output", where, OutputSpec)},
        "schema_version": SCHEMA_VERSION,
        **_UNFINISHED,
    }
    network = _part(section, "network", where, NetworkSpec)
    try:
        # Checked with settings that fit any network before those of the preset are asked for, which need sizes and counts that are right.
        plain = ModelSpec.from_json({**known, "network": {"name": "", "kwargs": {}, **network}}, where)
        _refuse_what_is_not_trained(plain, where)
        refuse_unknown_settings(plain.network.name, plain.network.kwargs, f"{where}.network.kwargs")
        return ModelSpec.from_json({**known, "network": _completed(network, plain)}, where)
    except ModelError as error:
        raise ConfigError(str(error)) from error


def _mapping(value: Any, where: str, keys: list[str] | tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a mapping; got {value!r}.")
    check_keys(value, keys, where)
    return value


def _part(section: Mapping[str, Any], key: str, where: str, kind: type) -> Mapping[str, Any]:
    return _mapping(section.get(key, {}), f"{where}.{key}", [f.name for f in fields(kind)])


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} must be a list; got {value!r}.")
    return value


def _label(label: Any, where: str) -> dict[str, Any]:
    label = _mapping(label, where, _LABEL_KEYS)
    empty = {"type_modifier": None, "region": None, "region_modifier": None}
    coded = label.get("terminology")
    return {**label, "terminology": {**empty, **_mapping(coded, f"{where}.terminology", ("category", "type", *empty))} if coded else None}


def _input(item: Any, where: str) -> dict[str, Any]:
    item = _mapping(item, where, [f.name for f in fields(InputSpec)])
    steps = [
        {"parameters": {}, **_mapping(step, f"{where}.steps[{n}]", [f.name for f in fields(IntensityStep)])}
        for n, step in enumerate(_list(item.get("steps", []), f"{where}.steps"))
    ]
    for n, step in enumerate(steps):
        refuse_unknown_step(step, f"{where}.steps[{n}]")
    return {**item, "steps": steps}


def _refuse_what_is_not_trained(spec: ModelSpec, where: str) -> None:
    if spec.overlapping:
        raise ConfigError(f"{where}.output.activation is sigmoid; the labels of a dataset exclude each other, so only softmax is trained.")
    if spec.crop != "none":
        raise ConfigError(f"{where}.crop is {spec.crop}; models are trained on uncropped images only: leave it out.")
    if spec.window.slice_context is not None:
        raise ConfigError(f"{where}.window.slice_context is {spec.window.slice_context}; networks of slices are trained as the network SliceBySlice.")
    if spec.window.padding != "zero":
        raise ConfigError(f"{where}.window.padding is {spec.window.padding}; models are trained on images that are padded with zeros: leave it out.")
    if not set(spec.orientation) <= set("RLAPSI"):
        raise ConfigError(f"{where}.orientation is {spec.orientation}; expected anatomical axes, for example RAS, which random changes refer to.")


def _completed(network: Mapping[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """The network with its preset's settings in place of those it does not give."""
    name, given = network.get("name", ""), network.get("kwargs", {})
    spacing = tuple(side or 1.0 for side in spec.spacing_mm)
    try:
        kwargs = completed_kwargs(name, given, channels=len(spec.inputs), labels=spec.channel_count, window=spec.window.size, spacing=spacing)
    except ModelError:
        if not given or name not in NETWORKS:
            raise
        # No preset suits this window; the settings may.
        kwargs = given
    return {"name": name, "kwargs": dict(kwargs)}
