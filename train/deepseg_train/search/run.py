"""A search from its start, or from wherever it was stopped, to its end."""

from __future__ import annotations

import gc
import math
import shutil
import time
from pathlib import Path

import optuna
import torch
from optuna.trial import TrialState

from deepseg.errors import ModelError
from deepseg_train.config import parse_config
from deepseg_train.config.reading import read_config
from deepseg_train.data import open_dataset
from deepseg_train.data.split import load_split
from deepseg_train.errors import ConfigError
from deepseg_train.search.folder import Search, SearchSettings, open_folder, open_search
from deepseg_train.search.samplers import grid_size
from deepseg_train.search.space import check_space, read_space
from deepseg_train.search.trials import claim, run_trial
from deepseg_train.training.run_folder import CACHE

_MOST_IN_A_ROW = 10


def search(
    config_path: Path,
    space: Path,
    data: Path,
    folder: Path,
    settings: SearchSettings | None = None,
    storage: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
) -> Search:
    """Try values until there are enough trials; the same call goes on with what was stopped, and joins what runs elsewhere.

    Args:
        space: YAML file, see `deepseg_train.search.space`.
        folder: for the search; each trial is a run folder in it.
        storage: where machines share a search, see `open_search`.
        trials: of all machines together, failed ones among them; None for no end, or the whole grid.
        minutes: after which no further trial begins.

    Raises:
        ConfigError: the config, the space or the storage is wrong, or the folder holds another search.
        DatasetError: the data has problems.
        ConfigError, ModelError, RuntimeError, ValueError: what the last of ten trials in a row failed of; the same call goes on with the next.
    """
    settings = settings or SearchSettings()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    raw = read_config(config_path)
    config = parse_config(raw, config_path)
    if not config.split.is_file():
        raise ConfigError(f"There is no split file {config.split}, which {config_path} names. A split's path is relative to its config.")
    # What would fail in every trial is told now.
    check_space(read_space(space), raw, config_path)
    load_split(config.split, open_dataset(data, patient=config.patient).cases)
    open_folder(folder, raw, config.split, space)
    found = open_search(folder, storage, settings)
    wanted = math.inf if trials is None else trials
    if settings.sampler == "grid":
        wanted = min(wanted, grid_size(found.ranges))
    until = math.inf if minutes is None else time.monotonic() + 60 * minutes
    failed = 0
    while time.monotonic() < until and (claimed := claim(found, wanted)) is not None:
        try:
            run_trial(found, claimed, data)
            failed = 0
        except (ConfigError, ModelError, RuntimeError, ValueError):
            failed += 1
            if failed == _MOST_IN_A_ROW:
                raise
        # A module and its trainer hold each other, and the GPU's memory.
        gc.collect()
        torch.cuda.empty_cache()
    if not found.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        shutil.rmtree(folder / CACHE, ignore_errors=True)
    return found
