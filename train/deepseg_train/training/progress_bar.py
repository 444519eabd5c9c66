"""What is seen of a training while it runs."""

from __future__ import annotations

import lightning
from lightning.pytorch.callbacks import TQDMProgressBar


class TrainingBar(TQDMProgressBar):
    """Lightning's bar without the number of the log's version."""

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, int | str | float | dict[str, float]]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}
