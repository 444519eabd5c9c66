"""A search's folder, which stands on its own, and the study that its trials are written to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import yaml
from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import SQLAlchemyError

from deepseg.bundle import sha256_of
from deepseg_train.config import load_config
from deepseg_train.config.reading import read_config
from deepseg_train.errors import ConfigError
from deepseg_train.search.samplers import most_epochs, pruner_of, sampler_of
from deepseg_train.search.space import Range, read_space

BASE, SPLIT, SPACE, JOURNAL = "base.yaml", "split.json", "space.yaml", "journal.log"
_SETTINGS = "settings"


@dataclass(frozen=True)
class SearchSettings:
    """How values are chosen and when a trial is given up, by the names that `sampler_of` and `pruner_of` know."""

    sampler: str = "tpe"
    seed: int = 0
    pruner: str = "median"


@dataclass(frozen=True, eq=False)
class Search:
    """A search that goes on in a folder.

    Attributes:
        ranges: what is tried, by place of the config.
        alone: its trials are written to this folder alone, so each of them is one of this folder.
    """

    folder: Path
    ranges: Mapping[str, Range]
    study: optuna.Study
    alone: bool

    def run_of(self, number: int) -> Path:
        return self.folder / f"trial-{number:04}"

    def lock(self) -> FileLock:
        """Held while a trial is chosen, by one process at a time."""
        return FileLock(self.folder / "search.lock")


def open_folder(folder: Path, config: Mapping[str, Any], split: Path, space: Path) -> None:
    """Copy what a search is about into its folder, or see that it is what is there.

    Raises:
        ConfigError: the folder holds another search, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "search.lock"):
            if (folder / BASE).exists():
                _require_same(folder, config, split, space)
                return
            shutil.copyfile(split, folder / SPLIT)
            shutil.copyfile(space, folder / SPACE)
            # Written last: where it is, the others are.
            (folder / BASE).write_text(yaml.safe_dump({**config, "split": SPLIT}, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The search folder {folder} cannot be written: {error.strerror}. Name another one with --folder.") from error


def _require_same(folder: Path, config: Mapping[str, Any], split: Path, space: Path) -> None:
    same = {
        "config": read_config(folder / BASE) == {**config, "split": SPLIT},
        "split": sha256_of(folder / SPLIT) == sha256_of(split),
        "search space": read_space(folder / SPACE) == read_space(space),
    }
    for what, agrees in same.items():
        if not agrees:
            raise ConfigError(f"{folder} holds a search with another {what}. Name a new folder.")


def open_search(folder: Path, storage: str | None, settings: SearchSettings) -> Search:
    """Begin the search of a folder made by `open_folder`, or join it; a storage knows it by the folder's name.

    Args:
        storage: the URL of a database, or the path of a journal file that all machines see; None for a journal in the folder.

    Raises:
        ConfigError: the storage cannot be opened, or holds another search of this name.
    """
    ranges = read_space(folder / SPACE)
    study = _study(
        folder,
        storage,
        optuna.create_study,
        direction="maximize",
        load_if_exists=True,
        sampler=sampler_of(settings.sampler, settings.seed, ranges),
        pruner=pruner_of(settings.pruner, most_epochs(ranges, load_config(folder / BASE).training.epochs)),
    )
    ours = {
        "config": read_config(folder / BASE),
        "split": sha256_of(folder / SPLIT),
        "space": {place: asdict(span) for place, span in ranges.items()},
        "sampler": settings.sampler,
        "seed": settings.seed,
    }
    if _SETTINGS not in study.user_attrs:
        study.set_user_attr(_SETTINGS, ours)
    its = study.user_attrs[_SETTINGS]
    differing = [key for key, value in ours.items() if its[key] != json.loads(json.dumps(value))]
    if differing:
        raise ConfigError(f"The search '{study.study_name}' began with another {', '.join(differing)}. Name a new folder.")
    return Search(folder, ranges, study, storage is None)


def find_search(folder: Path, storage: str | None) -> Search:
    """A search as it is now, to look at.

    Raises:
        ConfigError: there is none in the folder, or none of its name in the storage.
    """
    if not (folder / BASE).is_file():
        raise ConfigError(f"{folder} holds no search ({BASE}). Name the folder given to `deepseg-train search --folder`.")
    return Search(folder, read_space(folder / SPACE), _study(folder, storage, optuna.load_study), storage is None)


def _study(folder: Path, storage: str | None, make: Callable[..., optuna.Study], **settings: Any) -> optuna.Study:
    name = folder.resolve().name
    try:
        return make(study_name=name, storage=_storage(storage or str(folder / JOURNAL)), **settings)
    except KeyError as error:
        raise ConfigError(f"The storage {storage or folder / JOURNAL} holds no search '{name}'.") from error
    except (OSError, ImportError, ValueError, SQLAlchemyError) as error:
        raise ConfigError(f"The storage {storage or folder / JOURNAL} cannot be used: {' '.join(str(error).split())}") from error


def _storage(place: str) -> BaseStorage:
    if "://" in place:
        return RDBStorage(place)
    # Unlike a link, the lock of a file can be had on every system.
    return JournalStorage(JournalFileBackend(place, JournalFileOpenLock(place)))
