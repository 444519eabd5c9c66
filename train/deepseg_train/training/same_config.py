"""Processes that train together must have read the same config."""

from __future__ import annotations

import lightning
from lightning.pytorch.callbacks import Callback

from deepseg_train.errors import ConfigError


class SameConfig(Callback):
    """Ends the training where a process has found the config of an earlier start, which no name tells apart where `torchrun` is given a fixed one."""

    def __init__(self, config: str) -> None:
        self.config = config

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.strategy.broadcast(self.config) != self.config:
            raise ConfigError("This process has read another config than the first one, of an earlier start in the same folder. Start them again.")
