"""Trainings of a second or two, in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deepseg_train.training.fit import fit

SHORT = {
    "model.network.kwargs.filters": [4, 6, 8],
    "training.precision": "32-true",
    "training.ema_decay": None,
    "training.epochs": 1,
    "training.steps_per_epoch": 1,
    "training.validate_every_epochs": 1,
    "schedule.warmup_epochs": 0,
}
"""Set in place of what the small config says."""


@pytest.fixture
def train(small_config, msd_folder, tmp_path) -> Callable[..., Path]:
    """Trains with values of the config by place, and callbacks; returns the run's folder, in which the same call goes on."""

    def train(values: dict, *callbacks) -> Path:
        fit(small_config, msd_folder, tmp_path / "run", {**SHORT, **values}, extra_callbacks=callbacks)
        return tmp_path / "run"

    return train
