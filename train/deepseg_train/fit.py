"""`deepseg-train fit`: check the data, train, keep everything needed to go on after a kill."""

from __future__ import annotations

import json
import logging
import platform
import shlex
import shutil
from importlib.metadata import version
from pathlib import Path

import lightning
import torch
import yaml
from lightning.pytorch import callbacks
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, Dataset

from deepseg.api import load_model
from deepseg.errors import ModelError
from deepseg.heap import freed_memory_kept, large_blocks_kept
from deepseg.preprocessing import prepare, prepare_labels
from deepseg.spec import ModelSpec
from deepseg_train.augmentation import training_transform
from deepseg_train.config import TrainConfig, load_config, read_config
from deepseg_train.dataset import Case, find_cases, read_checked
from deepseg_train.errors import ConfigError
from deepseg_train.module import SegmentationModule
from deepseg_train.split import load_split

CONFIG_COPY, SPLIT_COPY, LAST, BEST = "config.yaml", "split.json", "checkpoints/last.ckpt", "checkpoints/best.ckpt"


class PreparedCases(Dataset):
    """Cases on the model's grid, kept in memory, each changed by `transform` when it is asked for."""

    def __init__(self, cases: list[Case], spec: ModelSpec, transform: object = None) -> None:
        self.transform = transform
        self.items = [
            {"image": prepare(volume, spec).tensor, "label": prepare_labels(labels, spec).unsqueeze(0).to(torch.uint8)}
            for volume, labels in read_checked(cases, spec)
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        item = dict(self.items[index])
        if self.transform is None:
            return item
        changed = self.transform(item)
        return {key: torch.as_tensor(changed[key]).clone() for key in item}


def fit(config_path: Path, data: Path, run: Path) -> Path:
    """Train into the folder `run`, or go on with what is there; returns the best checkpoint.

    Raises:
        ConfigError: the config is wrong, or `run` holds a run with another config.
        DatasetError: the data has problems; all are listed.
    """
    config = _start_or_resume(config_path, run)
    split = load_split(run / SPLIT_COPY, find_cases(data))
    settings, spec = config.training, config.spec
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    print(f"Reading and checking {len(split['train'])} training and {len(split['validation'])} validation cases ...", flush=True)
    training = PreparedCases(split["train"], spec, training_transform(config.augmentation, spec.window.size))
    validation = PreparedCases(split["validation"], spec)
    loader = DataLoader(
        training,
        settings.batch_size,
        shuffle=True,
        drop_last=len(training) >= settings.batch_size,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
    )
    # Lightning's advice on its own products is no news of the run.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    module = SegmentationModule(spec, settings, len(loader))
    trainer = _trainer(config, run)
    last = run / LAST
    if last.exists():
        print(f"Going on from {last}.", flush=True)
    elif config.start_from:
        start_from(module.network, config.start_from)
    with freed_memory_kept(), large_blocks_kept():
        trainer.fit(module, loader, DataLoader(validation, 1), ckpt_path=str(last) if last.exists() else None, weights_only=True)
    best = run / BEST
    next_command = shlex.join(["deepseg-train", "export", str(run), "--data", str(data), "-o", "MODEL_FOLDER"])
    print(f"Best weights: {best}. Next: {next_command}", flush=True)
    return best


def start_from(network: nn.Module, model: str) -> None:
    """Give a network the weights of a model's first member, as far as names and shapes agree.

    Raises:
        ConfigError: there is no such model, or nothing of it fits.
    """
    try:
        given = load_model(model).build_network().state_dict()
    except ModelError as error:
        raise ConfigError(f"The training cannot start from the model {model}: {error}") from error
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in given.items() if name in own and own[name].shape == tensor.shape}
    if not fitting:
        raise ConfigError(f"No weight of the model {model} fits the network of the config; name a model with a network like it.")
    network.load_state_dict(fitting, strict=False)
    print(f"Starting from {model}: {len(fitting)} of {len(own)} tensors are its own, the others start at random.", flush=True)


def _start_or_resume(config_path: Path, run: Path) -> TrainConfig:
    """Copy config and split into the run folder once, so that the run stands on its own; return the copy's config."""
    config = load_config(config_path)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The run folder {run} cannot be made: {error.strerror}. Name another one with --run.") from error
    copy = run / CONFIG_COPY
    if copy.exists():
        if read_config(copy) != read_config(config_path):
            raise ConfigError(f"{run} holds a run with another config ({copy} differs from {config_path}). Name a new run folder.")
    else:
        if not config.split.is_file():
            raise ConfigError(f"There is no split file {config.split}, which {config_path} names. A split's path is relative to its config.")
        shutil.copyfile(config.split, run / SPLIT_COPY)
        packages = {name: version(name) for name in ("torch", "monai", "lightning", "numpy", "SimpleITK")}
        (run / "versions.json").write_text(json.dumps({"python": platform.python_version(), **packages}, indent=1), encoding="utf-8")
        copy.write_text(yaml.safe_dump(read_config(config_path), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return config


def _trainer(config: TrainConfig, run: Path) -> lightning.Trainer:
    settings = config.training
    watched = {"monitor": "validation/dice", "mode": "max"}
    folder, best = str((run / BEST).parent), Path(BEST).stem
    patience = max(settings.early_stopping_epochs // settings.validate_every_epochs, 1)
    return lightning.Trainer(
        max_epochs=settings.max_epochs,
        accelerator="auto",
        devices=1,
        precision=settings.precision,
        gradient_clip_val=settings.gradient_clip,
        check_val_every_n_epoch=settings.validate_every_epochs,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        # CSVLogger empties a file it finds, so each start writes one of its own.
        logger=[CSVLogger(run, name="logs"), TensorBoardLogger(run, name="tensorboard", version=0)],
        callbacks=[
            callbacks.EMAWeightAveraging(decay=settings.ema_decay, update_starting_at_step=0),
            callbacks.ModelCheckpoint(folder, best, **watched, save_top_k=1, enable_version_counter=False),
            callbacks.ModelCheckpoint(folder, "last", save_top_k=1, every_n_epochs=1, save_on_train_epoch_end=True, enable_version_counter=False),
            callbacks.EarlyStopping(**watched, patience=patience),
            callbacks.TQDMProgressBar(refresh_rate=10),
        ],
    )
