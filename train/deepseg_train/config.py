"""The training config: one YAML file with the model's spec, the split, the training settings and the augmentation."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml

from deepseg.errors import ModelError
from deepseg.spec import SCHEMA_VERSION, ModelSpec, OutputSpec, ResamplingSpec, WindowSpec
from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. Learning rates are AdamW's; an epoch sees each case once."""

    seed: int
    batch_size: int
    max_epochs: int
    learning_rate: float
    weight_decay: float
    warmup_epochs: int
    schedule: Literal["cosine", "polynomial"]
    ema_decay: float
    gradient_clip: float
    early_stopping_epochs: int
    validate_every_epochs: int
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    workers: int


@dataclass(frozen=True)
class AugmentationSettings:
    """How likely and how strong each random change is; see `deepseg_train.augmentation`."""

    flip_left_right: float
    affine: dict[str, float]
    blur: dict[str, float]
    low_resolution: dict[str, float]
    bias_field: dict[str, float]
    gamma: dict[str, float]
    intensity: dict[str, float]
    noise: dict[str, float]


CHANGES = {
    "affine": ("rotate_degrees", "scale", "shear", "translate_voxels"),
    "blur": ("sigma_voxels",),
    "low_resolution": ("lowest_zoom",),
    "bias_field": ("strength",),
    "gamma": ("lowest", "highest"),
    "intensity": ("shift", "scale"),
    "noise": ("deviation",),
}
"""Numbers of each random change, apart from its probability."""


@dataclass(frozen=True)
class TrainConfig:
    """A whole config; `spec` still lacks weights, provenance and metrics, which training adds.

    Attributes:
        start_from: name or folder of a model whose weights are gone on with; None to start from random ones.
    """

    spec: ModelSpec
    split: Path
    training: TrainingSettings
    augmentation: AugmentationSettings
    path: Path
    start_from: str | None = None


def load_config(path: Path) -> TrainConfig:
    """Read and check a config.

    Raises:
        ConfigError: not readable, a key is missing or unknown, or a value is of the wrong kind.
    """
    raw = read_config(path)
    start_from = raw.pop("start_from", None)
    _check_keys(raw, ["model", "split", "training", "augmentation"], str(path))
    if not isinstance(start_from, str | None):
        raise ConfigError(f"{path}: start_from is {start_from!r}; expected the name or the folder of a model.")
    if not isinstance(raw["split"], str):
        raise ConfigError(f"{path}: split is {raw['split']!r}; expected the name of a split file beside the config.")
    training = _settings(TrainingSettings, raw["training"], f"{path}: training")
    for key in ("batch_size", "max_epochs", "validate_every_epochs"):
        if getattr(training, key) < 1:
            raise ConfigError(f"{path}: training.{key} is {getattr(training, key)}; expected at least 1.")
    augmentation = _settings(AugmentationSettings, raw["augmentation"], f"{path}: augmentation")
    for change, keys in CHANGES.items():
        settings, where = getattr(augmentation, change), f"{path}: augmentation.{change}"
        if not isinstance(settings, dict):
            raise ConfigError(f"{where} must be a mapping; got {settings!r}.")
        _check_keys(settings, ["probability", *keys], where)
        for key, value in settings.items():
            _check_number(value, f"{where}.{key}")
    return TrainConfig(_model(raw["model"], path), path.parent / raw["split"], training, augmentation, path, start_from)


def read_config(path: Path) -> dict[str, Any]:
    """A config as it is written; one with the key `base` is the config of that name beside it, with its own values in place of what is there.

    Raises:
        ConfigError: not readable, or its bases run in a circle.
    """
    found: dict[str, Any] = {}
    seen: list[Path] = []
    while path is not None:
        if path in seen:
            raise ConfigError(f"The config {path} is its own base.")
        seen.append(path)
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"The config {path} cannot be read: {error}") from error
        if not isinstance(raw, dict):
            raise ConfigError(f"The config {path} is not a YAML mapping with the keys model, split, training and augmentation.")
        base = raw.pop("base", None)
        found, path = _over(raw, found), path.parent / str(base) if base is not None else None
    return found


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` in place of its own; mappings are merged key by key."""
    both = {key for key in above if isinstance(above[key], dict) and isinstance(below.get(key), dict)}
    return {**below, **above, **{key: _over(below[key], above[key]) for key in both}}


_USUAL_WINDOW = {key: value for key, value in asdict(WindowSpec((1, 1, 1))).items() if key != "size"}


def _model(section: dict[str, Any], path: Path) -> ModelSpec:
    labels = []
    for label in section.get("labels", []):
        coded = label.get("terminology")
        empty = {"type_modifier": None, "region": None, "region_modifier": None}
        labels.append({**label, "terminology": {**empty, **coded} if coded else None})
    inputs = [{**item, "steps": [{"parameters": {}, **step} for step in item.get("steps", [])]} for item in section.get("inputs", [])]
    # What a config leaves out is as in DeepSeg's own models.
    usual = {"crop": "none", "resampling": asdict(ResamplingSpec())}
    window, output = {**_USUAL_WINDOW, **section.get("window", {})}, {**asdict(OutputSpec()), **section.get("output", {})}
    unfinished = {"weights": {"not-trained-yet.safetensors": "0" * 64}, "provenance": {}, "metrics": {}}
    known = {
        **usual,
        **section,
        "labels": labels,
        "inputs": inputs,
        "window": window,
        "output": output,
        "schema_version": SCHEMA_VERSION,
        **unfinished,
    }
    try:
        spec = ModelSpec.from_json(known, f"{path}: model")
    except ModelError as error:
        raise ConfigError(str(error)) from error
    return spec


def _settings(kind: type, section: Any, where: str) -> Any:
    if not isinstance(section, dict):
        raise ConfigError(f"{where} must be a mapping; got {section!r}.")
    _check_keys(section, [f.name for f in fields(kind)], where)
    hints = get_type_hints(kind)
    for key, value in section.items():
        allowed = getattr(hints[key], "__args__", None) if getattr(hints[key], "__origin__", None) is Literal else None
        if allowed and value not in allowed:
            raise ConfigError(f"{where}.{key} is {value!r}; expected one of {', '.join(allowed)}.")
        if hints[key] is int and not isinstance(value, int):
            raise ConfigError(f"{where}.{key} is {value!r}; expected a whole number.")
        if hints[key] is float:
            _check_number(value, f"{where}.{key}")
    return kind(**section)


def _check_number(value: Any, where: str) -> None:
    if not isinstance(value, (int, float)):
        raise ConfigError(f"{where} is {value!r}; expected a number.")


def _check_keys(section: dict[str, Any], known: list[str], where: str) -> None:
    for key in section:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known)}."
            raise ConfigError(f"{where} has an unknown key '{key}'.{hint}")
    missing = [key for key in known if key not in section]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(missing)}.")
