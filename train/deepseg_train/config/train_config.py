"""A whole config, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepseg.spec import ModelSpec
from deepseg_train.augmentation import AugmentationSettings
from deepseg_train.config.checking import build, check_keys
from deepseg_train.config.model_section import model_of
from deepseg_train.config.reading import read_config, with_values
from deepseg_train.errors import ConfigError
from deepseg_train.losses import LossSettings
from deepseg_train.training.distillation import DistillationSettings
from deepseg_train.training.optimizers import OptimizerSettings
from deepseg_train.training.schedules import ScheduleSettings
from deepseg_train.training.settings import TrainingSettings


@dataclass(frozen=True)
class TrainConfig:
    """What a run does. `spec` still lacks weights, provenance and metrics, which export adds.

    Attributes:
        split: a JSON file that tells which patient is in which part.
        patient: how a case's patient is told, see `deepseg_train.data.open_dataset`; None where each case is a patient of its own.
        start_from: name or folder of a trained model whose weights are gone on with; None to start from random weights.
        distillation: the model whose answers are learnt beside the labels; None for labels alone.
    """

    spec: ModelSpec
    split: Path
    patient: str | None
    training: TrainingSettings
    optimizer: OptimizerSettings
    schedule: ScheduleSettings
    loss: LossSettings
    augmentation: AugmentationSettings
    start_from: str | None
    distillation: DistillationSettings | None
    path: Path


_SECTIONS = {
    "training": TrainingSettings,
    "optimizer": OptimizerSettings,
    "schedule": ScheduleSettings,
    "loss": LossSettings,
    "augmentation": AugmentationSettings,
}
KEYS = ("model", "split", "patient", "start_from", *_SECTIONS, "distillation")


def load_config(path: Path, values: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read and check a config, with single values set by their place, as in {'optimizer.learning_rate': 0.01}.

    Raises:
        ConfigError: not readable, a key is missing or unknown, or a value is of the wrong kind.
    """
    return parse_config(with_values(read_config(path), values or {}), path)


def parse_config(raw: Mapping[str, Any], path: Path) -> TrainConfig:
    """Check a config that was read from `path`; a section it lacks has its usual values.

    Raises:
        ConfigError: a key is missing or unknown, a value is of the wrong kind, or the warm-up is as long as the training.
    """
    check_keys(raw, KEYS, str(path))
    for key in ("model", "split"):
        if raw.get(key) is None:
            raise ConfigError(f"{path} lacks {key}.")
    texts = {
        "split": "the name of a split file beside the config",
        "patient": "a column or a regular expression",
        "start_from": "a model's name or folder",
    }
    for key, expected in texts.items():
        if not isinstance(raw.get(key), str | None):
            raise ConfigError(f"{path}: {key} is {raw[key]!r}; expected {expected}.")
    sections = {key: build(kind, raw.get(key) or {}, f"{path}: {key}") for key, kind in _SECTIONS.items()}
    if "warmup_epochs" not in (raw.get("schedule") or {}):
        usual = min(sections["schedule"].warmup_epochs, sections["training"].epochs / 4)
        sections["schedule"] = replace(sections["schedule"], warmup_epochs=usual)
    _refuse_long_warmup(sections["schedule"], sections["training"], path)
    teacher = build(DistillationSettings, raw["distillation"], f"{path}: distillation") if raw.get("distillation") else None
    return TrainConfig(
        spec=model_of(raw["model"], f"{path}: model"),
        split=path.parent / raw["split"],
        patient=raw.get("patient"),
        start_from=raw.get("start_from"),
        distillation=teacher,
        path=path,
        **sections,
    )


def _refuse_long_warmup(schedule: ScheduleSettings, training: TrainingSettings, path: Path) -> None:
    if schedule.warmup_epochs >= training.epochs:
        raise ConfigError(
            f"{path}: schedule.warmup_epochs is {schedule.warmup_epochs:g} and training.epochs is {training.epochs}, so the schedule itself would "
            "never begin; expected fewer warm-up epochs than epochs. Lower schedule.warmup_epochs or raise training.epochs."
        )
