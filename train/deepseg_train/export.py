"""`deepseg-train export`: from a run folder to a model folder, with its figures measured on held-out cases."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import torch

from deepseg import api
from deepseg_train.config import TrainConfig
from deepseg_train.config.reading import read_config
from deepseg_train.data import Case, open_dataset
from deepseg_train.data.seen import KEY, Seen
from deepseg_train.data.split import load_split
from deepseg_train.errors import ConfigError
from deepseg_train.evaluation import evaluate_cases, summarise, table, write_rows
from deepseg_train.evaluation.card import licence_text, model_card
from deepseg_train.losses import LossSettings
from deepseg_train.training.run_folder import BEST, CONFIG, DATA, SPLIT, VERSIONS, end_of, open_finished
from deepseg_train.training.run_inputs import seen_by


def export(runs: Sequence[Path], data: Path, folder: Path) -> api.ModelBundle:
    """Write the best weights of a run as a model, or those of several as an ensemble; evaluate it on the test cases, write it again with its figures.

    Raises:
        ConfigError: one of `runs` is no finished run, or their models or splits differ.
        OutputError: `folder` exists.
        ModelError: the written model does not reproduce its golden file.
    """
    first, configs = runs[0], [open_finished(run) for run in runs]
    if folder.exists():
        raise api.OutputError(f"{folder} exists already. Remove it or name another folder for the model.")
    _refuse_other_runs(runs)
    dataset = open_dataset(data, patient=configs[0].patient)
    split = load_split(first / SPLIT, dataset.cases)
    if not split["test"]:
        raise ConfigError(f"The split {first / SPLIT} has no test cases; a model is exported with figures on cases it never saw.")
    checkpoints = [torch.load(run / BEST, map_location="cpu", weights_only=True) for run in runs]
    names = ["model.safetensors"] if len(runs) == 1 else [f"member-{n}.safetensors" for n in range(len(runs))]
    members = {name: _weights(checkpoint) for name, checkpoint in zip(names, checkpoints, strict=True)}
    sizes = {part: len(cases) for part, cases in split.items()}
    made = [_of_run(config, run, checkpoint) for config, run, checkpoint in zip(configs, runs, checkpoints, strict=True)]
    # What all runs share is said once.
    told = {key: made[0][key] if len({run[key] for run in made}) == 1 else ", ".join(str(run[key]) for run in made) for key in made[0]}
    seen = reduce(or_, map(seen_by, runs))
    parts = ", ".join(f"{size} {part}" for part, size in sizes.items())
    spec = replace(configs[0].spec, provenance={"data": dataset.about, "split": parts, **told, KEY: seen.to_json()})
    with tempfile.TemporaryDirectory(prefix="export-") as work:
        rows = evaluate_cases(_save(Path(work) / "draft", spec, members), split["test"])
    metrics = {"what": measured_on(split["test"], seen), **summarise(rows)}
    if len(runs) == 1:
        write_rows(rows, first / "test.csv")
    print(table(metrics), flush=True)
    return _save(folder, replace(spec, metrics=metrics), members)


def _refuse_other_runs(runs: Sequence[Path]) -> None:
    """Members of an ensemble differ in their seed, and in nothing else."""
    told = [read_config(run / CONFIG) for run in runs]
    seeds = [config.get("training", {}).pop("seed", 0) for config in told]
    for run, config, seed in zip(runs[1:], told[1:], seeds[1:], strict=True):
        if config != told[0] or (run / SPLIT).read_bytes() != (runs[0] / SPLIT).read_bytes():
            differing = [key for key in {**told[0], **config} if told[0].get(key) != config.get(key)] or ["split"]
            raise ConfigError(f"{run} differs from {runs[0]} in {', '.join(differing)}; members of an ensemble differ in training.seed alone.")
        if seeds.count(seed) > 1:
            raise ConfigError(f"The seed {seed} was used more than once; members of an ensemble differ in training.seed.")


def measured_on(cases: Sequence[Case], seen: Seen) -> str:
    """Test cases in words, and whether anything that the model learned from knew them."""
    patients = len({case.patient for case in cases})
    known = seen.among(cases)
    if known:
        how = f"{len(known)} of them used in training, by this model or one that it learned from"
    elif seen.untold:
        how = f"not used in this training; which images {', '.join(seen.untold)} was trained on is not known"
    else:
        how = "not used in training"
    return f"Test cases of the run's split ({patients} patients, {how})."


def _save(folder: Path, spec: api.ModelSpec, members: dict[str, dict[str, torch.Tensor]]) -> api.ModelBundle:
    card = model_card(spec) if spec.metrics else "draft"
    return api.ModelBundle.save(folder, spec, members, card, licence_text(spec))


def _weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {key.removeprefix("network."): value for key, value in checkpoint["state_dict"].items() if key.startswith("network.")}


def _of_run(config: TrainConfig, run: Path, checkpoint: dict[str, Any]) -> dict[str, Any]:
    end = end_of(run)
    ended = f"; ended after epoch {end.epochs}: {end.stopped}" if end.stopped else ""
    averaged = f"exponential moving average ({config.training.ema_decay})" if config.training.ema_decay else "of the last step"
    found = {
        "seed": config.training.seed,
        "started from": _model(config.start_from, run, "start_from") if config.start_from else "random weights",
        "epochs": f"best of validation at epoch {checkpoint['epoch'] + 1} of {config.training.epochs}{ended}",
        "steps": checkpoint["global_step"],
        "minutes of training": f"{end.seconds / 60:.0f}",
        "loss": loss_in_words(config.loss),
        "weights": f"{averaged}, stored as float16",
        "versions": ", ".join(f"{name} {number}" for name, number in json.loads((run / VERSIONS).read_text(encoding="utf-8")).items()),
    }
    if config.distillation:
        found["teacher"] = f"{_model(config.distillation.teacher, run, 'teacher')}, {config.distillation.weight:.0%} of the loss"
    return found


def _model(given: str, run: Path, key: str) -> str:
    """A model by its name and hash; where it lay is nobody else's business."""
    return f"{Path(given).name} ({json.loads((run / DATA).read_text(encoding='utf-8'))[key][:12]})"


def loss_in_words(loss: LossSettings) -> str:
    """Such as '1 x cross-entropy + 1 x dice'."""
    return " + ".join(f"{term.weight:g} x {term.name}" for term in loss.terms)
