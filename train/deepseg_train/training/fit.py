"""`deepseg-train fit`: check the data, train, keep everything needed to go on after a kill."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch import callbacks
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from deepseg.heap import freed_memory_kept, large_blocks_kept
from deepseg_train.config import TrainConfig, load_config
from deepseg_train.data import open_dataset
from deepseg_train.data.split import Parts, load_split
from deepseg_train.errors import ConfigError
from deepseg_train.loading import PreparedCases, TrainingLoader, training_loader, validation_loader
from deepseg_train.training.checkpoints import KeptWeights
from deepseg_train.training.curves import draw_curves, read_logs
from deepseg_train.training.data_time import EPOCH_SECONDS, DataTime
from deepseg_train.training.module import SegmentationModule
from deepseg_train.training.moving_average import MovingAverage
from deepseg_train.training.processes import only_one, say_ready, wait_for_first_process, world_and_rank
from deepseg_train.training.progress_bar import TrainingBar
from deepseg_train.training.run_folder import (
    BEST,
    CACHE,
    CONFIG,
    CURVES,
    FINISHED,
    LAST,
    SPLIT,
    RunEnd,
    finish,
    open_run,
    read_run,
    refuse_other_files,
)
from deepseg_train.training.run_inputs import record_inputs, seen_before
from deepseg_train.training.same_config import SameConfig
from deepseg_train.training.stopping import EndsTraining, NoProgress


def fit(
    config_path: Path,
    data: Path,
    run: Path,
    values: Mapping[str, Any] | None = None,
    processes: int = 1,
    cache: Path | None = None,
    extra_callbacks: Sequence[callbacks.Callback] = (),
) -> Path:
    """Train into the folder `run`, or go on with what is there; returns the best checkpoint.

    Args:
        values: set in place of what the config says, by place ('optimizer.learning_rate').
        processes: that share each batch on this machine, one a GPU or each with its share of the processor's cores. `torchrun` knows its own number.
        cache: folder for prepared cases that do not fit into memory; None for one in the run's own.

    Raises:
        ConfigError: the config is wrong, or `run` holds a run with another config or files of the user's that a run would overwrite.
        DatasetError: the data has problems, which are all listed, or is not what `run` began with.
    """
    if processes < 1:
        raise ConfigError(f"The number of processes is {processes}; expected at least 1.")
    world, rank = world_and_rank(processes)
    if rank:
        if (run / FINISHED).exists():
            # The first process says so, and makes no folder to wait for.
            return run / BEST
        wait_for_first_process(run)
        _fit(read_run(run), data, run, world, rank, cache, extra_callbacks)
        return run / BEST
    # A wrong config is told before a folder is made, and nothing in a folder is touched while another process trains in it.
    load_config(config_path, values)
    refuse_other_files(config_path, run)
    with only_one(run):
        config = open_run(config_path, run, values)
        if (run / FINISHED).exists():
            print(f"The run {run} is finished; its weights are in {run / BEST}.", flush=True)
        else:
            _fit(config, data, run, world, rank, cache, extra_callbacks)
    return run / BEST


def _fit(
    config: TrainConfig, data: Path, run: Path, world: int, rank: int, cache: Path | None, extra_callbacks: Sequence[callbacks.Callback]
) -> None:
    settings, spec, first = config.training, config.spec, rank == 0
    split = load_split(run / SPLIT, open_dataset(data, patient=config.patient).cases)
    for part in ("train", "validation"):
        if not split[part]:
            raise ConfigError(f"The split {config.split} has no case in its part {part}; training needs at least one.")
    if first:
        say_ready(run)
    # Lightning's advice on its own products is no news of the run.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    lightning.seed_everything(settings.seed, verbose=False)
    module = SegmentationModule(config)
    if first:
        record_inputs(run, [*split["train"], *split["validation"]], config, world)
        _tell_seen(config, split)
        print(f"Reading and checking {len(split['train'])} training and {len(split['validation'])} validation cases ...", flush=True)
    loader = training_loader(config, split["train"], world, rank, cache or run / CACHE)
    # Each process validates its share.
    watched = split["validation"][rank::world] if len(split["validation"]) >= world else split["validation"]
    validation = validation_loader(PreparedCases(watched, spec, cache or run / CACHE, world=world))
    same = [SameConfig((run / CONFIG).read_text(encoding="utf-8"))] if world > 1 else []
    trainer = _trainer(config, run, world, [*same, *extra_callbacks])
    _train(trainer, module, loader, validation, run / LAST)
    if first:
        score = trainer.checkpoint_callbacks[0].best_model_score
        logged = read_logs(run)
        draw_curves(logged, spec.labels, run / CURVES)
        shutil.rmtree(run / CACHE, ignore_errors=True)
        stopped = _stopped(trainer)
        finish(run, RunEnd(trainer.current_epoch, round(sum(logged[EPOCH_SECONDS].values())), stopped))
        if stopped:
            print(f"Ended after {trainer.current_epoch} of {settings.epochs} epochs: {stopped}.", flush=True)
        print(f"Best validation Dice {float(score):.4f}; weights in {run / BEST}, curves in {run / CURVES}.", flush=True)


def _stopped(trainer: lightning.Trainer) -> str | None:
    """Why a training ended before its last epoch; None where it did not."""
    if trainer.current_epoch == trainer.max_epochs:
        return None
    return next((callback.reason for callback in trainer.callbacks if isinstance(callback, EndsTraining) and callback.reason), None)


def _tell_seen(config: TrainConfig, split: Parts) -> None:
    """A model that is gone on with, or learned from, may know the cases that are kept for figures."""
    seen = seen_before(config)
    for part in ("calibrate", "test"):
        remark = seen.remark("a model that this run learns from", split[part])
        if remark:
            print(f"Note on the part {part}: {remark} Use the split that it was trained with.", flush=True)
    if seen.doubt:
        print(f"Note: {seen.doubt}", flush=True)


_OF_NO_USE = (".*isinstance\\(treespec, LeafSpec\\)", "Checkpoint directory .* exists and is not empty")
"""Lightning's remarks on its own code, and on what is so when a run goes on."""


def _train(trainer: lightning.Trainer, module: SegmentationModule, loader: TrainingLoader, validation: DataLoader, last: Path) -> None:
    goes_on = last.exists()
    if goes_on and trainer.is_global_zero:
        print(f"Going on from {last}.", flush=True)
    try:
        with freed_memory_kept(), large_blocks_kept(), warnings.catch_warnings():
            for told in _OF_NO_USE:
                warnings.filterwarnings("ignore", told)
            trainer.fit(module, loader, validation, ckpt_path=str(last) if goes_on else None, weights_only=True)
    except SystemExit as end:
        # Lightning's answer to Ctrl-C.
        if trainer.interrupted:
            raise KeyboardInterrupt from end
        raise


def _trainer(config: TrainConfig, run: Path, world: int, extra: Sequence[callbacks.Callback]) -> lightning.Trainer:
    settings = config.training
    watched = {"monitor": "validation/dice", "mode": "max"}
    folder, best = str((run / BEST).parent), Path(BEST).stem
    kept = [
        KeptWeights(folder, best, **watched, save_top_k=1, enable_version_counter=False),
        KeptWeights(folder, "last", save_top_k=1, every_n_epochs=1, save_on_train_epoch_end=True, enable_version_counter=False),
        TrainingBar(refresh_rate=1),
        DataTime(),
        *extra,
    ]
    if settings.ema_decay is not None:
        kept.insert(0, MovingAverage(settings.ema_decay))
    if settings.early_stopping_epochs is not None:
        kept.append(NoProgress(settings.early_stopping_epochs, settings.validate_every_epochs))
    nodes = int(os.environ.get("WORLD_SIZE", world)) // int(os.environ.get("LOCAL_WORLD_SIZE", world))
    return lightning.Trainer(
        max_epochs=settings.epochs,
        # On Apple's GPUs the networks' layers are not all there.
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        benchmark=True,
        devices=world // nodes,
        num_nodes=nodes,
        strategy="ddp" if world > 1 else "auto",
        # The loader gives each process its own cases.
        use_distributed_sampler=False,
        precision=settings.precision,
        gradient_clip_val=settings.gradient_clip,
        accumulate_grad_batches=settings.accumulate,
        check_val_every_n_epoch=settings.validate_every_epochs,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        log_every_n_steps=1,
        # CSVLogger empties a file it finds, so each start writes one of its own.
        logger=[CSVLogger(run, name="logs"), TensorBoardLogger(run, name="tensorboard", version=0)],
        callbacks=kept,
    )
