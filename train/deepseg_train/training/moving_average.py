"""The exponential moving average of the weights, kept where the weights are."""

from __future__ import annotations

import lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage(WeightAveraging):
    """Averages the weights after each step; the averages are validated and stored (Polyak and Juditsky 1992, doi:10.1137/0330046).

    After `n` steps an average keeps at most (1 + n) / (10 + n) of itself, so that a short training does not end with the weights it began with.
    """

    def __init__(self, decay: float) -> None:
        def average_or_copy(averages: list[torch.Tensor], current: list[torch.Tensor], count: torch.Tensor) -> None:
            # Of one type each time. An average of whole numbers is rounded down: a network's table of places would be another after it.
            if averages[0].is_floating_point():
                steps = float(count)
                get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))(averages, current, count)
            else:
                torch._foreach_copy_(averages, current)

        super().__init__(multi_avg_fn=average_or_copy)

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Lightning makes the averages before it moves the weights; on a GPU each step would bring them back."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
