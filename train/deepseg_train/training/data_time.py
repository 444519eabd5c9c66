"""Is training waiting for its data?"""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

EPOCH_SECONDS = "time/epoch"


class DataTime(Callback):
    """Logs for each epoch how many seconds the steps took ('time/steps'), how many were waited for data in between ('time/data'), and how many
    it took as a whole, validation included ('time/epoch').

    Prints the first two, and how long the other epochs will take, at the end of the first epoch of a start.

    On a GPU a step ends when its work is handed over, so waiting for the GPU may
    count as either; waiting for data that is less than the time of steps by far is true on any device.
    """

    def __init__(self) -> None:
        self.data = self.steps = 0.0
        self._told = False
        self._since = self._began = perf_counter()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.data = self.steps = 0.0
        self._since = self._began = perf_counter()

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int) -> None:
        self.data += self._lap()

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps += self._lap()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._since = perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        pl_module.log_dict({"time/data": self.data, "time/steps": self.steps, EPOCH_SECONDS: perf_counter() - self._began}, sync_dist=True)
        if not self._told and trainer.is_global_zero:
            share = self.data / max(self.data + self.steps, 1e-9)
            spent = f"{self.steps:.1f} s of steps, {self.data:.1f} s waited for data ({share:.0%})"
            print(f"\nEpoch {trainer.current_epoch + 1}: {spent}.{self._left(trainer)}", flush=True)
        self._told = True

    def _left(self, trainer: lightning.Trainer) -> str:
        epochs = (trainer.max_epochs or 0) - trainer.current_epoch - 1
        seconds = round(epochs * (self.data + self.steps))
        return f" About {timedelta(seconds=seconds)} (hours:minutes:seconds) are left at this pace, without validation." if epochs > 0 else ""

    def _lap(self) -> float:
        before, self._since = self._since, perf_counter()
        return self._since - before
