"""A plan as a training config: everything a run needs, and what to look over before a model is shared."""

from __future__ import annotations

import colorsys
import re
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from deepseg.outputs import write_whole
from deepseg_train.augmentation.geometry.affine import AffineSettings
from deepseg_train.data.cases import Dataset
from deepseg_train.data.plan import Plan
from deepseg_train.errors import DatasetError
from deepseg_train.training.settings import TrainingSettings

_PALETTE = (
    (0.90, 0.62, 0.00),
    (0.00, 0.45, 0.70),
    (0.00, 0.62, 0.45),
    (0.80, 0.47, 0.65),
    (0.34, 0.71, 0.91),
    (0.84, 0.37, 0.00),
    (0.94, 0.89, 0.26),
)
"""Told apart with any kind of colour vision (Okabe and Ito 2008)."""

_GOLDEN = 0.618034


def config_of(dataset: Dataset, plan: Plan, split_name: str, patient: str | None = None) -> dict[str, Any]:
    """A training config in YAML's types; sections it lacks have their usual values.

    Args:
        dataset: what it is for: names, licence, reference.
        plan: of its fingerprint.
        split_name: of the split file beside the config.
        patient: as it was given to `open_dataset`.
    """
    labels = [{"value": value, "name": name, "color": list(color(value - 1))} for value, name in enumerate(plan.label_names.values(), 1)]
    title = dataset.name or dataset.folder.absolute().name
    names = ", ".join(plan.label_names.values())
    modalities = " and ".join(dict.fromkeys(item.name for item in plan.inputs))
    model = {
        "id": _slug(title),
        "title": title,
        "summary": f"Outlines {names} in {modalities} images.",
        "version": "0.1.0",
        "inputs": [{**asdict(item), "steps": [_step(asdict(step)) for step in item.steps]} for item in plan.inputs],
        "labels": labels,
        "orientation": "RAS",
        "spacing_mm": [round(side, 6) for side in plan.spacing_mm],
        "network": {"name": "DynUNet", "kwargs": _network(plan)},
        "window": {"size": list(plan.topology.patch), "overlap": 0.5},
        "licence": dataset.licence or "Not stated by the dataset; say here what others may do with the model.",
        "citation": ". ".join(text for text in (dataset.about, dataset.reference) if text),
        "intended_use": f"For research, not for clinical use. Images like those of the dataset: {modalities}.",
    }
    told = {"patient": patient} if patient else {}
    steps = {"steps_per_epoch": plan.steps_per_epoch} if plan.steps_per_epoch else {}
    made = {"model": model, "split": split_name, **told, "training": {"epochs": TrainingSettings().epochs, "batch_size": plan.batch_size, **steps}}
    if plan.thick_axis is not None:
        made["augmentation"] = {"affine": {"rotate_degrees": _within_slices(plan.thick_axis)}}
    return made


def write_config(path: Path, config: dict[str, Any], plan: Plan) -> None:
    """Write a config as YAML with the plan's reasons as comments above it.

    Raises:
        DatasetError: the file exists.
        OutputError: it cannot be written.
    """
    if path.exists():
        raise DatasetError(f"{path} exists already, and a config is never overwritten. Remove it or choose another name.")
    lines = [line for reason in plan.reasons for line in textwrap.wrap(reason, 140, initial_indent="# - ", subsequent_indent="#   ")]
    head = "\n".join(["# Proposed by nnU-Net's rules. Look over title, summary, label names, licence, citation and intended use.", *lines])
    text = yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=140, allow_unicode=True)
    write_whole(path, lambda temporary: temporary.write_text(f"{head}\n{text}", encoding="utf-8"))


def color(index: int) -> tuple[float, float, float]:
    """RGB in 0..1 of label number `index`, unlike those before it."""
    if index < len(_PALETTE):
        return _PALETTE[index]
    # Steps of the golden ratio never come back to a hue.
    hue, ring = index * _GOLDEN % 1, index % 3
    return tuple(round(part, 3) for part in colorsys.hsv_to_rgb(hue, (0.85, 0.55, 0.95)[ring], (0.85, 0.95, 0.6)[ring]))


def _network(plan: Plan) -> dict[str, Any]:
    """MONAI's DynUNet as the plan has it, answering at several depths while it is trained."""
    topology = plan.topology
    return {
        "spatial_dims": 3,
        "in_channels": len(plan.inputs),
        "out_channels": len(plan.label_names) + 1,
        "kernel_size": [list(kernel) for kernel in topology.kernels],
        "strides": [list(stride) for stride in topology.strides],
        "upsample_kernel_size": [list(stride) for stride in topology.strides[1:]],
        "filters": list(topology.features),
        "norm_name": ["INSTANCE", {"affine": True}],
        "deep_supervision": True,
        "deep_supr_num": min(len(topology.strides) - 2, 3),
        "res_block": True,
    }


def _within_slices(thick_axis: int) -> list[float]:
    """The usual angle about the axis across the slices, none about the others."""
    return [angle if axis == thick_axis else 0.0 for axis, angle in enumerate(AffineSettings().rotate_degrees)]


def _step(step: dict[str, Any]) -> dict[str, Any]:
    parameters = {key: round(value, 4) for key, value in step["parameters"].items()}
    return {"scheme": step["scheme"], **({"parameters": parameters} if parameters else {})}


def _slug(title: str) -> str:
    """A model's id: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "model"
