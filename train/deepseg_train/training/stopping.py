"""What ends a training before the last epoch of its config, and why; a run that is started again after that ends at once."""

from __future__ import annotations

import math

import lightning
from lightning.pytorch.callbacks import Callback, EarlyStopping


class EndsTraining(Callback):
    """A callback that may end the training.

    Attributes:
        reason: why it did, in words; None where it did not.
    """

    reason: str | None = None

    def end(self, trainer: lightning.Trainer, reason: str) -> None:
        """By Lightning's own flag and not by an exception, so that the epoch's checkpoint and logs are written."""
        self.reason = reason
        trainer.should_stop = True


class NoProgress(EndsTraining, EarlyStopping):
    """Ends a training at the first validation by which the Dice has not risen for a number of epochs."""

    def __init__(self, epochs: int, validate_every_epochs: int) -> None:
        super().__init__("validation/dice", mode="max", patience=math.ceil(epochs / validate_every_epochs))
        self.validate_every_epochs = validate_every_epochs

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # The process may have been killed after it had decided, and before the run was finished.
        self._end_where_decided(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        self._end_where_decided(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Where every epoch is validated, Lightning decides here.
        super().on_train_epoch_end(trainer, pl_module)
        self._end_where_decided(trainer)

    def _end_where_decided(self, trainer: lightning.Trainer) -> None:
        if self.wait_count >= self.patience:
            self.end(trainer, f"no better validation Dice in {self.wait_count * self.validate_every_epochs} epochs")


class EndAfter(EndsTraining):
    """Ends a training after a number of epochs, as a run that is repeated was ended; the learning rate goes as the config's epochs say."""

    def __init__(self, epochs: int, reason: str) -> None:
        self.epochs = epochs
        self.told = reason

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._end_where_reached(trainer, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # The epoch that ends is not counted yet.
        self._end_where_reached(trainer, trainer.current_epoch + 1)

    def _end_where_reached(self, trainer: lightning.Trainer, done: int) -> None:
        if done >= self.epochs:
            self.end(trainer, self.told)
