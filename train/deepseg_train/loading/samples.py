"""What training sees, as a function of the run's seed, the epoch and a sample's place in it, and of nothing else.

So a run that goes on after a kill sees what it would have seen, several processes see together what one sees, and no sample depends on how many
worker processes there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from deepseg_train.augmentation import AugmentationSettings, Draw, PatchGrid, apply, draw
from deepseg_train.augmentation.mixup import Mixup, draw_mixup
from deepseg_train.loading.prepared import PreparedCases

# What random numbers are for, so that no two uses share them.
_ORDER, _PATCH, _MIXUP = range(3)


@dataclass(frozen=True)
class SampleKey:
    """A sample's place: the epoch, and its number within the epoch, counted over all steps and processes."""

    epoch: int
    index: int


@dataclass(frozen=True)
class SampleRecord:
    """All that is random about a sample: which case, what happens to it, and what it is blended with."""

    case: int
    drawn: Draw
    mixup: Mixup | None = None
    other: SampleKey | None = None


class TrainingSamples(Dataset):
    """Random patches of prepared cases. An item is {'image': float32 (C, I, J, K), 'label': (1, I, J, K)}, and 'label_mixed' and 'mix' where
    the batch is blended (see `Mixup.apply`)."""

    def __init__(self, cases: PreparedCases, grid: PatchGrid, settings: AugmentationSettings, seed: int, batch_size: int, steps: int) -> None:
        """`batch_size` counts the samples of a step over all processes, `steps` the steps of an epoch."""
        self.cases = cases
        self.grid = grid
        self.settings = settings
        self.seed = seed
        self.batch_size = batch_size
        self.steps = steps

    def __len__(self) -> int:
        return self.steps * self.batch_size

    def __getitem__(self, key: SampleKey) -> dict[str, torch.Tensor]:
        return self.replay(self.record(key))

    def record(self, key: SampleKey) -> SampleRecord:
        """Draw a sample."""
        case = self._case(key)
        arrays = self.cases.arrays(case)
        drawn = draw(self.settings, self._rng(_PATCH, key.epoch, key.index), self.grid, tuple(arrays.image.shape), arrays.places.numpy())
        step, place = divmod(key.index, self.batch_size)
        mixup = draw_mixup(self.settings.mixup, self._rng(_MIXUP, key.epoch, step))
        other = SampleKey(key.epoch, step * self.batch_size + (place + 1) % self.batch_size) if mixup else None
        return SampleRecord(case, drawn, mixup, other)

    def replay(self, record: SampleRecord) -> dict[str, torch.Tensor]:
        """Make the sample that was drawn; the same record gives the same numbers."""
        arrays = self.cases.arrays(record.case)
        # Sums depend on how many threads share them, and worker processes have one.
        with _one_thread():
            image, label = apply(record.drawn, arrays.image, arrays.label)
            sample = {"image": image, "label": label}
            if record.mixup is None:
                return sample
            other = self.record(record.other)
            return record.mixup.apply(sample, self.replay(SampleRecord(other.case, other.drawn)))

    def _case(self, key: SampleKey) -> int:
        """All cases take turns, in an order that is new in each turn."""
        count = len(self.cases)
        if self.steps * self.batch_size < count + self.batch_size:
            # Each epoch is a turn. It may leave some cases out, or take some of them twice to make its last batch whole.
            turn, place = key.epoch, key.index % count
        else:
            turn, place = divmod(key.epoch * self.steps * self.batch_size + key.index, count)
        return int(self._rng(_ORDER, turn).permutation(count)[place])

    def _rng(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *purpose])


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
