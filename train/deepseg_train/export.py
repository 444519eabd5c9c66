"""`deepseg-train export`: from a run folder to a model folder, with its figures measured on held-out cases."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from deepseg import api
from deepseg_train.card import licence_text, model_card
from deepseg_train.config import TrainConfig, load_config
from deepseg_train.dataset import describe, find_cases
from deepseg_train.errors import ConfigError
from deepseg_train.evaluate import evaluate_cases, summarise, table, write_rows
from deepseg_train.fit import BEST, CONFIG_COPY, SPLIT_COPY
from deepseg_train.split import load_split

LOSS = "Dice + cross-entropy with deep supervision"


def export(runs: Sequence[Path], data: Path, folder: Path) -> api.ModelBundle:
    """Write the best weights of a run as a model, or those of several as an ensemble; evaluate it on the test cases, write it again with its figures.

    Raises:
        ConfigError: one of `runs` is no finished run, or their models or splits differ.
        OutputError: `folder` exists.
        ModelError: the written model does not reproduce its golden file.
    """
    for run in runs:
        if not (run / BEST).is_file():
            raise ConfigError(f"{run} holds no trained weights ({BEST}). Name the folder given to `deepseg-train fit --run`.")
    if folder.exists():
        raise api.OutputError(f"{folder} exists already. Remove it or name another folder for the model.")
    first, configs = runs[0], [load_config(run / CONFIG_COPY) for run in runs]
    for run, config in zip(runs, configs, strict=True):
        if config.spec != configs[0].spec or (run / SPLIT_COPY).read_bytes() != (first / SPLIT_COPY).read_bytes():
            raise ConfigError(f"{run} trained another model or on another split than {first}; members of an ensemble differ in their seed alone.")
    split = load_split(first / SPLIT_COPY, find_cases(data))
    if not split["test"]:
        raise ConfigError(f"The split {first / SPLIT_COPY} has no test cases; a model is exported with figures on cases it never saw.")
    checkpoints = [torch.load(run / BEST, map_location="cpu", weights_only=True) for run in runs]
    names = ["model.safetensors"] if len(runs) == 1 else [f"member-{n}.safetensors" for n in range(len(runs))]
    members = {name: _weights(checkpoint) for name, checkpoint in zip(names, checkpoints, strict=True)}
    sizes = {part: len(cases) for part, cases in split.items()}
    made = [_of_run(config, run, checkpoint) for config, run, checkpoint in zip(configs, runs, checkpoints, strict=True)]
    # What all runs share is said once.
    told = {key: made[0][key] if len({run[key] for run in made}) == 1 else ", ".join(str(run[key]) for run in made) for key in made[0]}
    spec = replace(configs[0].spec, provenance={"data": describe(data), "split": ", ".join(f"{size} {part}" for part, size in sizes.items()), **told})
    with tempfile.TemporaryDirectory(prefix="export-") as work:
        rows = evaluate_cases(_save(Path(work) / "draft", spec, members), split["test"])
    metrics = {"what": f"Test cases of the committed split ({len(split['test'])} patients, not used in training).", **summarise(rows)}
    if len(runs) == 1:
        write_rows(rows, first / "test.csv")
    print(table(metrics), flush=True)
    return _save(folder, replace(spec, metrics=metrics), members)


def _save(folder: Path, spec: api.ModelSpec, members: dict[str, dict[str, torch.Tensor]]) -> api.ModelBundle:
    card = model_card(spec) if spec.metrics else "draft"
    return api.ModelBundle.save(folder, spec, members, card, licence_text(spec))


def _weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {key.removeprefix("network."): value for key, value in checkpoint["state_dict"].items() if key.startswith("network.")}


def _of_run(config: TrainConfig, run: Path, checkpoint: dict[str, Any]) -> dict[str, Any]:
    versions = json.loads((run / "versions.json").read_text(encoding="utf-8"))
    return {
        "seed": config.training.seed,
        "started from": config.start_from or "random weights",
        "epochs": f"best of validation at epoch {checkpoint['epoch'] + 1} of {config.training.max_epochs}",
        "steps": checkpoint["global_step"],
        "loss": LOSS if config.spec.network.name != "HeteroscedasticDynUNet" else f"{LOSS}, and of the noise of the logits",
        "weights": f"exponential moving average ({config.training.ema_decay}), stored as float16",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }
