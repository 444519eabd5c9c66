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
from deepseg_train.data.cases import Case, refuse_problems
from deepseg_train.loading.room import Room, working_bytes

_PLACES_PER_LABEL = 2000


class PreparedArrays(NamedTuple):
    """A case on the model's grid.

    Attributes:
        image: float32 (C, I, J, K).
        label: (1, I, J, K), uint8, or int32 where the model has more than 255 labels.
        places: int32 (n, 4), some voxels of labels: rows of label value, I, J, K; at most 2000 of a label.
    """

    image: torch.Tensor
    label: torch.Tensor
    places: torch.Tensor


class PreparedCases(Dataset):
    """Cases on the model's grid; the item of an index is {'image': (C, I, J, K), 'label': (1, I, J, K)}, not to be written to.

    Processes that are forked from this one share the memory; others get it through shared memory, or open the same files.
    """

    def __init__(self, cases: Sequence[Case], spec: ModelSpec, cache: Path | None = None, memory_bytes: float | None = None, world: int = 1) -> None:
        """Read all cases, as many at a time as memory lets be worked on.

        Args:
            cases: what to read.
            spec: the model.
            cache: folder for the arrays that do not fit in memory. What it holds already, of the same files and for a model that prepares
                alike, is taken as it is. None keeps everything in memory.
            memory_bytes: how much memory may be taken before the folder is; None for half of what is free, shared
                among the processes of this machine.
            world: processes of this training, all on this machine but where `torchrun` tells otherwise.

        Raises:
            DatasetError: lists each bad case with its reason.
        """
        self.cases = list(cases)
        store = _Store(spec, cache, memory_bytes, world)
        # Each reading switches ITK's warnings off and back to what they were, which for several at once must be off.
        with quiet_itk(), ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            kept = list(pool.map(store.keep, self.cases))
        problems = [f"{case.name}: {problem}" for case, problem in zip(self.cases, kept, strict=True) if isinstance(problem, VolumeError)]
        refuse_problems(problems, len(self.cases))
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

    def __init__(self, spec: ModelSpec, cache: Path | None, memory_bytes: float | None, world: int) -> None:
        self.spec = spec
        self.cache = cache
        # Where nobody tells how much is free, the files are the safe way, and one case after the other.
        half = (free_bytes(torch.device("cpu")) or 0) / 2 / int(os.environ.get("LOCAL_WORLD_SIZE") or world)
        self.left = memory_bytes if memory_bytes is not None else half
        self.lock = threading.Lock()
        self.room = Room(half)

    def keep(self, case: Case) -> PreparedArrays | _InFiles | VolumeError:
        """Read and keep a case; what is wrong with it is returned, so that all problems can be told at once."""
        try:
            if self.cache is None:
                return self._read(case)
            files = _InFiles(self.cache / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', case.name)}-{_cache_key(case, self.spec)}")
            if files.whole:
                return files
            arrays = self._read(case)
        except VolumeError as error:
            return error
        if self._fits(arrays):
            return arrays
        self.cache.mkdir(parents=True, exist_ok=True)
        files.write(arrays)
        return files

    def _read(self, case: Case) -> PreparedArrays:
        with self.room.taken(working_bytes(case, self.spec)):
            return _prepared(case, self.spec)

    def _fits(self, arrays: PreparedArrays) -> bool:
        size = sum(array.nbytes for array in arrays)
        with self.lock:
            if size > self.left:
                return False
            self.left -= size
            return True


def _prepared(case: Case, spec: ModelSpec) -> PreparedArrays:
    volume, labels = case.read(spec)
    label = prepare_labels(labels, spec)
    return PreparedArrays(prepare(volume, spec).tensor.contiguous(), label.unsqueeze(0), _places(label.numpy()))


def _places(label: np.ndarray) -> torch.Tensor:
    """Voxels of each label; the same ones each time."""
    rng, flat = np.random.default_rng(0), label.reshape(-1)
    rows = [np.empty((0, 4), np.int32)]
    for value in range(1, int(flat.max()) + 1):
        # Numbers of voxels, one label after the other: three coordinates for each labelled voxel would be larger than the case.
        found = np.flatnonzero(flat == value)
        some = found if len(found) <= _PLACES_PER_LABEL else rng.choice(found, _PLACES_PER_LABEL, replace=False)
        rows.append(np.column_stack([np.full(len(some), value), *np.unravel_index(some, label.shape)]).astype(np.int32))
    return torch.from_numpy(np.concatenate(rows))


def _cache_key(case: Case, spec: ModelSpec) -> str:
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
