"""Cases read and brought to the model's grid once, before training: kept in memory, or in files where they do not fit."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

import deepseg
from deepseg.errors import VolumeError
from deepseg.free_memory import free_bytes
from deepseg.itk_messages import quiet_itk
from deepseg.outputs import write_whole
from deepseg.preprocessing import prepare, prepare_labels
from deepseg.spec import ModelSpec
from deepseg_train.data import Case
from deepseg_train.errors import DatasetError

_PLACES_PER_LABEL = 2000


class PreparedArrays(NamedTuple):
    """A case on the model's grid.

    Attributes:
        image: float32 (C, I, J, K).
        label: (1, I, J, K), uint8, or int16 where a label's value is above 255.
        places: int32 (n, 4), some voxels of labels: rows of label value, I, J, K; at most 2000 of a label.
    """

    image: torch.Tensor
    label: torch.Tensor
    places: torch.Tensor


class PreparedCases(Dataset):
    """Cases on the model's grid; the item of an index is {'image': (C, I, J, K), 'label': (1, I, J, K)}, not to be written to.

    Processes that are forked from this one share the memory; others get it through shared memory, or open the same files.
    """

    def __init__(self, cases: Sequence[Case], spec: ModelSpec, cache: Path | None = None, memory_bytes: float | None = None) -> None:
        """Read all cases, several at a time.

        Args:
            cases: what to read.
            spec: the model.
            cache: folder for the arrays that do not fit in memory. What it holds already, of the same files and for a model that prepares
                alike, is taken as it is. None keeps everything in memory.
            memory_bytes: how much memory may be taken before the folder is; None for half of what is free.

        Raises:
            DatasetError: lists each bad case with its reason.
        """
        self.cases = list(cases)
        store = _Store(spec, cache, memory_bytes)
        # Each reading switches ITK's warnings off and back to what they were, which for several at once must be off.
        with quiet_itk(), ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            kept = list(pool.map(store.keep, self.cases))
        problems = [f"{case.name}: {problem}" for case, problem in zip(self.cases, kept, strict=True) if isinstance(problem, VolumeError)]
        if problems:
            raise DatasetError(f"{len(problems)} of {len(self.cases)} cases have problems:\n  " + "\n  ".join(problems))
        self._kept: list[PreparedArrays | _InFiles] = kept

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        arrays = self.arrays(index)
        return {"image": arrays.image, "label": arrays.label}

    def arrays(self, index: int) -> PreparedArrays:
        """A case's image, label and places of its labels."""
        kept = self._kept[index]
        return kept.open() if isinstance(kept, _InFiles) else kept


@dataclass(frozen=True)
class _InFiles:
    """Arrays in .npy files, mapped into memory when they are asked for, so that only what is read is loaded."""

    stem: Path

    def open(self) -> PreparedArrays:
        # Copy on write: PyTorch warns of arrays that cannot be written to.
        return PreparedArrays(*(torch.from_numpy(np.load(self._file(part), mmap_mode="c")) for part in PreparedArrays._fields))

    def write(self, arrays: PreparedArrays) -> None:
        for part, array in arrays._asdict().items():
            write_whole(self._file(part), partial(np.save, arr=array.numpy()))

    @property
    def whole(self) -> bool:
        return all(self._file(part).is_file() for part in PreparedArrays._fields)

    def _file(self, part: str) -> Path:
        return self.stem.with_name(f"{self.stem.name}-{part}.npy")


class _Store:
    """Decides where each case is kept; used by several threads at once."""

    def __init__(self, spec: ModelSpec, cache: Path | None, memory_bytes: float | None) -> None:
        self.spec = spec
        self.cache = cache
        # Where nobody tells how much is free, the files are the safe way.
        self.left = memory_bytes if memory_bytes is not None else (free_bytes(torch.device("cpu")) or 0) / 2
        self.lock = threading.Lock()

    def keep(self, case: Case) -> PreparedArrays | _InFiles | VolumeError:
        """Read and keep a case; what is wrong with it is returned, so that all problems can be told at once."""
        try:
            if self.cache is None:
                return _prepared(case, self.spec)
            files = _InFiles(self.cache / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', case.name)}-{_fingerprint(case, self.spec)}")
            if files.whole:
                return files
            arrays = _prepared(case, self.spec)
        except VolumeError as error:
            return error
        if self._fits(arrays):
            return arrays
        self.cache.mkdir(parents=True, exist_ok=True)
        files.write(arrays)
        return files

    def _fits(self, arrays: PreparedArrays) -> bool:
        with self.lock:
            self.left -= sum(array.nbytes for array in arrays)
            return self.left >= 0


def _prepared(case: Case, spec: ModelSpec) -> PreparedArrays:
    volume, labels = case.read(spec)
    label = prepare_labels(labels, spec)
    kind = torch.uint8 if int(label.max()) < 256 else torch.int16
    return PreparedArrays(prepare(volume, spec).tensor.contiguous(), label.to(kind).unsqueeze(0), _places(label.numpy()))


def _places(label: np.ndarray) -> torch.Tensor:
    """Voxels of each label; the same ones each time."""
    found = np.argwhere(label > 0)
    values = label[tuple(found.T)]
    rows = np.column_stack([values, found]).astype(np.int32)
    rng = np.random.default_rng(0)
    of_labels = [rows[values == value] for value in np.unique(values)]
    some = [of if len(of) <= _PLACES_PER_LABEL else rng.choice(of, _PLACES_PER_LABEL, replace=False) for of in of_labels]
    return torch.from_numpy(np.concatenate([rows[:0], *some]))


def _fingerprint(case: Case, spec: ModelSpec) -> str:
    """Tells whether prepared arrays are of these files and for a model that prepares alike."""
    files = [part for path in case.files for part in (sorted(path.iterdir()) if path.is_dir() else [path])]
    told: dict[str, Any] = {
        "files": [(str(path.resolve()), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files],
        "values": case.values,
        "labels": [label.value for label in spec.labels],
        "inputs": [asdict(item) for item in spec.inputs],
        "grid": [spec.orientation, spec.spacing_mm, spec.crop, asdict(spec.resampling)],
        "version": deepseg.__version__,
    }
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:16]
