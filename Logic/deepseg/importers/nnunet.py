"""`deepseg import nnunet`: a results folder of nnU-Net v2 becomes a DeepSeg model that gives nnU-Net's answers.

<folder>/plans.json, dataset.json       how images are prepared, what the labels are
<folder>/fold_0/checkpoint_final.pth    weights, one file a fold; each becomes a member of the ensemble
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from deepseg import __version__
from deepseg.bundle import ModelBundle
from deepseg.bundle_writer import refuse_existing
from deepseg.errors import ModelError
from deepseg.importers.nnunet_architecture import network_of
from deepseg.importers.nnunet_card import CITATION, INTENDED_USE, LICENCE, UNKNOWN, model_card
from deepseg.importers.nnunet_checkpoint import Checkpoint, read_checkpoint
from deepseg.importers.nnunet_labels import read_labels
from deepseg.importers.nnunet_plans import configuration_of, grid_of, inputs_of, orientation_of, read_json
from deepseg.networks import build_network
from deepseg.spec import ModelSpec, OutputSpec

_TOLD_BY_DATASETS = ("name", "description", "reference", "licence", "license", "release")
"""Keys of dataset.json that people fill in as they like."""


def import_nnunet(
    folder: Path, output: Path, model_id: str | None = None, folds: Sequence[str] | None = None, checkpoint: str = "checkpoint_final.pth"
) -> ModelBundle:
    """Write the model of a results folder; see `deepseg.api.import_nnunet`."""
    refuse_existing(output)
    plans, dataset = _described(folder)
    members = [read_checkpoint(path) for path in _checkpoints(folder, folds, checkpoint)]
    spec = _spec(plans, dataset, members, model_id)
    network = build_network(spec.network.name, spec.network.kwargs)
    weights = {f"{member.path.parent.name}.safetensors": member.weights_for(network) for member in members}
    return ModelBundle.save(output, spec, weights, model_card(spec), LICENCE, dtype=torch.float32)


def _described(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """plans.json and dataset.json."""
    example = "for example nnUNet_results/Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__3d_fullres"
    for name in ("plans.json", "dataset.json"):
        if not (folder / name).is_file():
            if (folder / "plans.pkl").is_file():
                raise ModelError(f"{folder} was made by nnU-Net v1, which DeepSeg does not import; train the model with nnU-Net v2.")
            below = sorted(path.parent.name for path in folder.glob("*/plans.json")) if folder.is_dir() else []
            hint = f"it holds {', '.join(below)}: name one of them" if below else f"name the folder that nnU-Net trained into, {example}"
            raise ModelError(f"{folder} is not a results folder of nnU-Net v2, for it lacks {name}; {hint}.")
    return read_json(folder / "plans.json"), read_json(folder / "dataset.json")


def _checkpoints(folder: Path, folds: Sequence[str] | None, name: str) -> list[Path]:
    """The checkpoint of each fold; without a choice all numbered folds, as nnU-Net does, or fold_all where there is no other."""
    if Path(name).name != name:
        raise ModelError(f"'{name}' is not the name of a checkpoint, such as checkpoint_final.pth or checkpoint_best.pth.")
    there = {path.parent.name.removeprefix("fold_"): path for path in sorted(folder.glob(f"fold_*/{name}"))}
    if not there:
        raise ModelError(f"{folder} has no fold with a {name}; its training may not have ended, then name checkpoint_best.pth.")
    chosen = list(dict.fromkeys(folds)) if folds else [fold for fold in there if fold != "all"] or ["all"]
    if missing := [fold for fold in chosen if fold not in there]:
        raise ModelError(f"{folder} has no fold '{missing[0]}' with a {name}; it has {', '.join(there)}.")
    return [there[fold] for fold in chosen]


def _spec(plans: dict[str, Any], dataset: dict[str, Any], members: list[Checkpoint], model_id: str | None) -> ModelSpec:
    first = members[0]
    for member in members[1:]:
        if (member.trainer, member.configuration, member.mirror_axes) != (first.trainer, first.configuration, first.mirror_axes):
            raise ModelError(f"{member.path} and {first.path} are of different trainings; choose folds of one training.")
    configuration = configuration_of(plans, first.configuration)
    spacing, resampling, window = grid_of(configuration)
    inputs, (labels, painting) = inputs_of(plans, configuration, dataset), read_labels(dataset)
    activation = "sigmoid" if painting else "softmax"
    # A 2D network counts its axes without the one across the slices.
    mirror_axes = tuple(axis + (window.slice_context is not None) for axis in first.mirror_axes)
    name = str(plans.get("dataset_name") or "Dataset")
    wanted_id = model_id or re.sub(r"[^a-z0-9._-]+", "-", f"{name}-{first.configuration}".lower()).lstrip("._-")
    told = {f"dataset's {key}": str(dataset[key]) for key in _TOLD_BY_DATASETS if dataset.get(key)}
    return ModelSpec(
        id=wanted_id,
        title=f"{re.sub(r'^Dataset[0-9]+_', '', name).replace('_', ' ')} (nnU-Net {first.configuration})",
        summary=f"Outlines {_listed([label.name for label in labels])} in {_listed([item.name for item in inputs])} images. Trained with nnU-Net.",
        version="1",
        inputs=inputs,
        labels=labels,
        orientation=orientation_of(plans),
        spacing_mm=spacing,
        network=network_of(configuration, first.trainer, len(inputs), len(labels) + (not painting)),
        window=window,
        licence=UNKNOWN,
        citation=CITATION,
        intended_use=INTENDED_USE,
        crop="nonzero",
        resampling=resampling,
        output=OutputSpec(activation, painting, mirror_axes=mirror_axes),
        provenance={
            "authors": UNKNOWN,
            "trained with": f"nnU-Net v2: {first.trainer}, {plans.get('plans_name')}, {first.configuration}",
            "dataset": name,
            **told,
            "members": ", ".join(member.path.parent.name for member in members) + f" ({first.path.name})",
            "imported by": f"DeepSeg {__version__}; weights as float32",
        },
    )


def _listed(names: list[str]) -> str:
    """Names in a sentence, the first few of many."""
    shown = names if len(names) <= 6 else [*names[:5], f"{len(names) - 5} more"]
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]
