"""Blending overlapping windows with no more memory than their frontier.

Windows come in raster order. A voxel's sum is whole as soon as the last window over it has passed; only sums that later windows add to are
held: along the first axis the overlap of two rows of windows, along the second that of two columns, along the third that of two windows.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch

Emit = Callable[[tuple[int, int, int], torch.Tensor], None]
"""Takes the first voxel and the whole sums (L, i, j, k) of a block; blocks come in raster order and tile the volume."""


class Frontier:
    """Adds up windows of one size.

    `push` takes them one by one in the order of `windows`; `emit` gets each voxel's sum once.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int, int],
        starts: tuple[list[int], list[int], list[int]],
        emit: Emit,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """`channels` is L; `starts` are the windows' first voxels along each axis; what is held is held as `dtype` on `device`."""
        self._starts, self._size, self._emit = starts, size, emit
        self.windows = list(product(*(range(len(axis)) for axis in starts)))
        self._next = 0
        self._held = []
        for axis in range(3):
            shape = [*size[: axis + 1], *(own[-1] + length for own, length in zip(starts[axis + 1 :], size[axis + 1 :], strict=True))]
            gaps = [b - a for a, b in zip(starts[axis], starts[axis][1:], strict=False)]
            shape[axis] = size[axis] - min(gaps) if gaps else 0
            self._held.append(torch.zeros((channels, *shape), dtype=dtype, device=device))

    @staticmethod
    def held_bytes(channels: int, size: tuple[int, int, int], starts: tuple[list[int], list[int], list[int]], bytes_per_value: int) -> int:
        """Memory that a frontier holds."""
        probe = Frontier(channels, size, starts, lambda *_: None, torch.float32, "meta")
        return sum(held.numel() for held in probe._held) * bytes_per_value

    def push(self, values: torch.Tensor) -> None:
        """Add the next window's weighted values (L, *size); they are changed in place."""
        indices = self.windows[self._next]
        self._next += 1
        self._pass(2, values, indices, (0, 0, self._starts[2][indices[2]]))

    def _pass(self, axis: int, values: torch.Tensor, indices: tuple[int, int, int], corner: tuple[int, int, int]) -> None:
        """Add what earlier windows along `axis` left for this place, hand on what is whole along it, and hold the rest.

        `values` reaches over the whole window along `axis` and the axes before it; `corner` is where it lies along `axis` and those after.
        """
        n, starts, size, held = indices[axis], self._starts[axis], self._size[axis], self._held[axis]
        # Where this block lies in what is held, along the axes after this one.
        place = tuple(slice(c, c + length) for c, length in zip(corner[axis + 1 :], values.shape[axis + 2 :], strict=True))
        before = (slice(None),) * (axis + 1)
        if n > 0:
            shared = starts[n - 1] + size - starts[n]
            values[(*before, slice(0, shared))] += held[(*before, slice(0, shared), *place)]
        done = starts[n + 1] - starts[n] if n + 1 < len(starts) else size
        if done < size:
            held[(*before, slice(0, size - done), *place)] = values[(*before, slice(done, None))]
        whole = values[(*before, slice(0, done))]
        if axis == 0:
            self._emit(corner, whole)
        else:
            self._pass(axis - 1, whole, indices, (*corner[: axis - 1], self._starts[axis - 1][indices[axis - 1]], *corner[axis:]))
