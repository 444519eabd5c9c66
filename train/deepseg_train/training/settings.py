"""How long and how carefully to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class TrainingSettings:
    """The section `training` of a config.

    Attributes:
        seed: of the weights, the order of the cases and every random change; the same seed gives the same run.
        batch_size: patches of one step, over all processes together.
        epochs: an epoch sees `steps_per_epoch` batches, or each case once where that is None, and as many again as the last batch lacks.
        accumulate: steps whose gradients are added up before the weights change.
        gradient_clip: greatest norm of the gradient; None to let it be.
        ema_decay: of the exponential moving average of the weights, which is validated and exported; None for the weights themselves.
        early_stopping_epochs: epochs without a better validation Dice after which training ends, at the next validation; None to go on to the end.
        precision: Lightning's name, or 'auto': the fastest that the device computes itself; a run's folder holds which one that was.
        workers: processes that read and change cases, for each process that trains; 0 does it in the training process. None: 1 where a processor
            trains; where a GPU does, as many as there are cores for it, up to 8.
    """

    seed: int = 0
    batch_size: int = 2
    epochs: int = 200
    steps_per_epoch: int | None = None
    accumulate: int = 1
    gradient_clip: float | None = 12.0
    ema_decay: float | None = 0.998
    early_stopping_epochs: int | None = None
    validate_every_epochs: int = 5
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    workers: int | None = None

    def __post_init__(self) -> None:
        least_one = ("batch_size", "epochs", "steps_per_epoch", "accumulate", "early_stopping_epochs", "validate_every_epochs")
        for key in least_one:
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ConfigError(f"{key} is {value}; expected at least 1.")
        if (self.workers or 0) < 0 or self.seed < 0:
            raise ConfigError(f"workers is {self.workers} and seed is {self.seed}; neither may be below 0.")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ConfigError(f"ema_decay is {self.ema_decay}; expected a number between 0 and 1.")
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ConfigError(f"gradient_clip is {self.gradient_clip}; expected a number above 0, or null.")
