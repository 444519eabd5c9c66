"""How many cases may be worked on at once: as many as fit into memory together."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepseg.io import open_image
from deepseg.spec import ModelSpec
from deepseg_train.data import Case

_BYTES, _BYTES_PER_CHANNEL = 16, 20
"""That reading and resampling take at their peak, for each voxel of the file and of the model's grid; measured on CT with 14 labels."""


class Room:
    """Bytes that threads share; each waits until there are enough for it."""

    def __init__(self, total: float) -> None:
        self.total = total
        self._taken: list[float] = []
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, wanted: float) -> Iterator[None]:
        """Take as much for a while; who wants more than there is works alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or sum(self._taken) + wanted <= self.total)
            self._taken.append(wanted)
        try:
            yield
        finally:
            with self._changed:
                self._taken.remove(wanted)
                self._changed.notify_all()


def working_bytes(case: Case, spec: ModelSpec) -> float:
    """About what preparing a case takes, by its files' headers; 0 where they cannot be read, which reading the case tells."""
    try:
        voxels, voxel_mm3 = _size_of(case.images[0])
    except (OSError, RuntimeError):
        return 0.0
    wanted_mm3 = math.prod(side or voxel_mm3 ** (1 / 3) for side in spec.spacing_mm)
    on_grid = voxels * voxel_mm3 / wanted_mm3
    return (_BYTES + _BYTES_PER_CHANNEL * len(spec.inputs)) * (voxels + on_grid)


def _size_of(path: Path) -> tuple[int, float]:
    """Voxels of one channel, and a voxel's volume in mm3."""
    if path.is_dir():
        # DICOM: 2 bytes a voxel where nothing is compressed, 1 mm where nothing is read.
        return sum(file.stat().st_size for file in path.iterdir()) // 2, 1.0
    header = open_image(path)
    return math.prod(header.GetSize()[:3]), math.prod(header.GetSpacing()[:3])
