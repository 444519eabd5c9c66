"""`deepseg-train export`: from a run folder to a model folder, with its figures measured on held-out cases."""

from __future__ import annotations

import json
import tempfile
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

WEIGHTS = "model.safetensors"


def export(run: Path, data: Path, folder: Path) -> api.ModelBundle:
    """Write the run's best weights as a model, evaluate that model on the test cases, and write it again with its figures.

    Raises:
        ConfigError: `run` is no finished run.
        OutputError: `folder` exists.
        ModelError: the written model does not reproduce its golden file.
    """
    if not (run / BEST).is_file():
        raise ConfigError(f"{run} holds no trained weights ({BEST}). Name the folder given to `deepseg-train fit --run`.")
    if folder.exists():
        raise api.OutputError(f"{folder} exists already. Remove it or name another folder for the model.")
    config = load_config(run / CONFIG_COPY)
    split = load_split(run / SPLIT_COPY, find_cases(data))
    if not split["test"]:
        raise ConfigError(f"The split {run / SPLIT_COPY} has no test cases; a model is exported with figures on cases it never saw.")
    checkpoint = torch.load(run / BEST, map_location="cpu", weights_only=True)
    state = {key.removeprefix("network."): value for key, value in checkpoint["state_dict"].items() if key.startswith("network.")}
    sizes = {part: len(cases) for part, cases in split.items()}
    spec = replace(config.spec, provenance={"data": describe(data), **_provenance(config, run, sizes, checkpoint)})
    with tempfile.TemporaryDirectory(prefix="export-") as work:
        rows = evaluate_cases(_save(Path(work) / "draft", spec, state), split["test"])
    metrics = {"what": f"Test cases of the committed split ({len(split['test'])} patients, not used in training).", **summarise(rows)}
    write_rows(rows, run / "test.csv")
    print(table(metrics), flush=True)
    return _save(folder, replace(spec, metrics=metrics), state)


def _save(folder: Path, spec: api.ModelSpec, state: dict[str, torch.Tensor]) -> api.ModelBundle:
    card = model_card(spec) if spec.metrics else "draft"
    return api.ModelBundle.save(folder, spec, {WEIGHTS: state}, card, licence_text(spec))


def _provenance(config: TrainConfig, run: Path, sizes: dict[str, int], checkpoint: dict[str, Any]) -> dict[str, Any]:
    versions = json.loads((run / "versions.json").read_text(encoding="utf-8"))
    return {
        "split": ", ".join(f"{size} {part}" for part, size in sizes.items()),
        "seed": config.training.seed,
        "epochs": f"best of validation at epoch {checkpoint['epoch'] + 1} of {config.training.max_epochs}",
        "steps": checkpoint["global_step"],
        "loss": "Dice + cross-entropy with deep supervision",
        "weights": f"exponential moving average ({config.training.ema_decay}), stored as float16",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }
