"""How a trial's training tells Optuna of itself, and is told to stop."""

from __future__ import annotations

import lightning
import optuna

from deepseg_train.training.stopping import EndsTraining

_WATCHED, _PRUNED = "validation/dice", "stopped early"


class TrialReport(EndsTraining):
    """Reports the Dice of each validation; ends a training that is worse than others were at that epoch.

    Attributes:
        dice: by epoch, counted from 1; with what was reported before a search was killed.
        pruned: whether the training was ended.
    """

    def __init__(self, trial: optuna.Trial, reported: dict[int, float]) -> None:
        self.trial = trial
        self.dice = dict(reported)
        self.pruned = trial.user_attrs.get(_PRUNED, False)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # The process may have been killed after the trial was pruned; where it was before that epoch's checkpoint, the epoch is trained again.
        if self.pruned and trainer.current_epoch >= max(self.dice):
            self._prune(trainer, trainer.current_epoch)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        # A run that goes on may validate its last epoch again.
        if epoch not in self.dice:
            self.dice[epoch] = float(trainer.callback_metrics[_WATCHED])
            self.trial.report(self.dice[epoch], epoch)
        if epoch < trainer.max_epochs and (self.pruned or self.trial.should_prune()):
            # Before the run ends, so that it is known where the search is killed in between.
            self.trial.set_user_attr(_PRUNED, True)
            self._prune(trainer, epoch)

    def _prune(self, trainer: lightning.Trainer, epoch: int) -> None:
        self.pruned = True
        self.end(trainer, f"pruned by its search: at epoch {epoch} half of the other trials had a higher Dice")
