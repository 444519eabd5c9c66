"""Batches for training, made off the main process, and cases for validation."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from deepseg_train.augmentation import PatchGrid
from deepseg_train.config import TrainConfig
from deepseg_train.data import Case
from deepseg_train.errors import ConfigError
from deepseg_train.loading.prepared import PreparedCases
from deepseg_train.loading.samples import SampleKey, TrainingSamples


def training_loader(config: TrainConfig, cases: Sequence[Case], world: int = 1, rank: int = 0, cache: Path | None = None) -> TrainingLoader:
    """Read the training cases and give batches of random patches of them.

    Args:
        config: its `training` tells batch size, steps, seed and worker processes; an epoch without `steps_per_epoch` sees each case once, and as
            many again as its last batch lacks.
        cases: what to train on.
        world: processes that share each batch.
        rank: which of them this is.
        cache: see `PreparedCases`.

    Raises:
        DatasetError: a case cannot be used.
        ConfigError: a batch cannot be shared alike, or a single patch would be blended with itself.
    """
    settings, augmentation = config.training, config.augmentation
    if settings.batch_size % world:
        raise ConfigError(f"training.batch_size is {settings.batch_size}, which {world} processes cannot share alike; choose a multiple of {world}.")
    if settings.batch_size == 1 and augmentation.mixup.probability:
        raise ConfigError("augmentation.mixup blends the patches of a batch, and training.batch_size is 1; choose at least 2, or leave mixup out.")
    steps = settings.steps_per_epoch or math.ceil(len(cases) / settings.batch_size)
    prepared = PreparedCases(cases, config.spec, cache, world=world)
    samples = TrainingSamples(prepared, PatchGrid.of(config.spec), augmentation, settings.seed, settings.batch_size, steps)
    workers = worker_count(world) if settings.workers is None else settings.workers
    return TrainingLoader(samples, workers, world, rank)


def worker_count(world: int = 1) -> int:
    """How many processes usually make patches for each of `world` processes that train.

    A processor trains so slowly that one keeps up with it. A GPU may wait for several; beyond 8 little is gained.
    """
    if not torch.cuda.is_available():
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Of those that train, `torchrun` says how many are on this machine.
    return max(min(8, cores // int(os.environ.get("LOCAL_WORLD_SIZE") or world)), 1)


def validation_loader(cases: PreparedCases) -> DataLoader:
    """Whole cases, one at a time, in order: {'image': (1, C, I, J, K), 'label': (1, 1, I, J, K)}."""
    return DataLoader(cases, batch_size=1)


class TrainingLoader(DataLoader):
    """Each iteration is an epoch, beginning with epoch 0, and the next one where anything of the last was seen.

    Lightning says which epoch it is in (`set_epoch`), and stores what was handed out in its checkpoints (`state_dict`), so that a run goes on with
    the step it would have come to. Give its trainer `use_distributed_sampler=False`: each process has its share already.
    """

    def __init__(self, samples: TrainingSamples, workers: int, world: int = 1, rank: int = 0) -> None:
        super().__init__(
            samples,
            batch_sampler=_ShareOfBatches(samples, world, rank),
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            # Forked workers share the cases' memory as it is.
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
            pin_memory=torch.cuda.is_available(),
            # PyTorch draws a number when the workers are started. Drawn from the common generator, it would change what dropout draws in that epoch,
            # and a run that goes on would not be the run it would have been.
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        # A generator, so that nothing is made before the first batch is asked for: Lightning asks for an iterator before it says which epoch it is.
        place = self.batch_sampler
        place.move_on()
        for batch in super().__iter__():
            place.step, place.goes_on = place.step + 1, False
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """The epoch, and the steps of it that were handed out."""
        return {"epoch": self.batch_sampler.epoch, "step": self.batch_sampler.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next iteration goes on from there; a whole epoch is followed by the next one."""
        self.batch_sampler.go_on(*divmod(state["epoch"] * len(self) + state["step"], len(self)))


class _ShareOfBatches(Sampler[list[SampleKey]]):
    """The samples of each step that are one process's (all processes together have the batch, each a run of it), from where training is.

    Attributes:
        epoch: that is under way.
        step: how many of its steps were handed out.
        goes_on: whether the epoch is to be gone on with, rather than left.
    """

    def __init__(self, samples: TrainingSamples, world: int, rank: int) -> None:
        self.samples = samples
        self.share = samples.batch_size // world
        self.rank = rank
        self.go_on(0, 0)

    @property
    def sampler(self) -> _ShareOfBatches:
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes; the one that is to be gone on with stays as it is."""
        if epoch != self.epoch or not self.goes_on:
            self.go_on(epoch, 0)

    def go_on(self, epoch: int, step: int) -> None:
        """The next iteration begins there."""
        self.epoch, self.step, self.goes_on = epoch, step, True

    def move_on(self) -> None:
        """Leave an epoch of which anything was seen."""
        if self.step and not self.goes_on:
            self.go_on(self.epoch + 1, 0)

    def __len__(self) -> int:
        return self.samples.steps

    def __iter__(self) -> Iterator[list[SampleKey]]:
        return iter([self._keys(step) for step in range(self.step, self.samples.steps)])

    def _keys(self, step: int) -> list[SampleKey]:
        start = step * self.samples.batch_size + self.rank * self.share
        return [SampleKey(self.epoch, start + n) for n in range(self.share)]
