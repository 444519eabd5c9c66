"""Blending overlapping windows with no more memory than their frontier.

Windows come in raster order. A voxel's sum is whole as soon as the last window over it has passed; only sums that later windows add to are
held: along the first axis the overlap of two rows of windows, along the second that of two columns, along the third that of two windows.
The last row, which often lies closer to the one before it than the others, is computed together with it: the deepest overlap is never held.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise, product

import torch

Emit = Callable[[tuple[int, int, int], torch.Tensor], None]
"""Takes the first voxel and the whole sums (L, i, j, k) of a block; blocks come in raster order and tile the volume."""

Starts = tuple[list[int], list[int], list[int]]


class Frontier:
    """Adds up windows of one size.

    Attributes:
        corners: first voxels of the windows, in the order in which they are wanted: each is put in its `room`, then `push` is called.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int, int],
        starts: Starts,
        emit: Emit,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """`channels` is L; `starts` are the windows' first voxels along each axis; what is held is held as `dtype` on `device`."""
        self._channels, self._size, self._emit = channels, size, emit
        self._units = [_units(starts[0]), *([[start] for start in axis] for axis in starts[1:])]
        self._spans = [[(unit[0], unit[-1] + length) for unit in units] for units, length in zip(self._units, size, strict=True)]
        self._places = list(product(*(range(len(units)) for units in self._units)))
        self.corners = [(first, starts[1][j], starts[2][k]) for i, j, k in self._places for first in self._units[0][i]]
        self._next, self._missing, self._block = 0, 0, torch.empty(0)
        # For each axis what waits there, by its place along the axes after it; taken away when it is used for the last time.
        self._held: list[dict[tuple[int, ...], torch.Tensor]] = [{}, {}, {}]
        self._dtype, self._device = dtype, device

    @staticmethod
    def held_bytes(channels: int, size: tuple[int, int, int], starts: Starts, bytes_per_value: int) -> int:
        """Memory that a frontier holds at most."""
        spans = Frontier(channels, size, starts, lambda *_: None)._spans
        values = 0
        for axis in range(3):
            longest = [max(stop - start for start, stop in own) for own in spans[:axis]]
            overlap = max((first[1] - second[0] for first, second in pairwise(spans[axis])), default=0)
            values += math.prod([*longest, overlap, *(own[-1][1] for own in spans[axis + 1 :])])
        return channels * values * bytes_per_value

    def room(self) -> tuple[torch.Tensor, bool]:
        """Where the next window's weighted values (L, *size) belong, and whether there is something there that they are added to."""
        place = self._places[self._next]
        unit, (start, stop) = self._units[0][place[0]], self._spans[0][place[0]]
        if not self._missing:
            self._missing = len(unit)
            make = torch.zeros if len(unit) > 1 else torch.empty
            self._block = make((self._channels, stop - start, *self._size[1:]), dtype=self._dtype, device=self._device)
        first = unit[len(unit) - self._missing] - start
        return self._block[:, first : first + self._size[0]], len(unit) > 1

    def push(self) -> None:
        """The next window's values are in their room."""
        self._missing -= 1
        if not self._missing:
            place, block = self._places[self._next], self._block
            self._next, self._block = self._next + 1, torch.empty(0)
            self._pass(2, block, place, (0, 0, self._spans[2][place[2]][0]))

    def _pass(self, axis: int, values: torch.Tensor, place: tuple[int, int, int], corner: tuple[int, int, int]) -> None:
        """Add what earlier windows along `axis` left for this place, hand on what is whole along it, and hold the rest.

        `values` reaches over the whole window along `axis` and the axes before it; `corner` is where it lies along `axis` and those after.
        """
        n, spans, held = place[axis], self._spans[axis], self._held[axis]
        (start, stop), key = spans[n], corner[axis + 1 :]
        waiting = held.pop(key, None)
        if waiting is not None:
            values.narrow(axis + 1, 0, waiting.shape[axis + 1]).add_(waiting)
        done = spans[n + 1][0] - start if n + 1 < len(spans) else stop - start
        if done < stop - start:
            rest = values.narrow(axis + 1, done, stop - start - done)
            # Memory is used again where it can be.
            held[key] = waiting.copy_(rest) if waiting is not None and waiting.shape == rest.shape else rest.clone()
        whole = values.narrow(axis + 1, 0, done)
        if axis == 0:
            self._emit(corner, whole)
        else:
            self._pass(axis - 1, whole, place, (*corner[: axis - 1], self._spans[axis - 1][place[axis - 1]][0], *corner[axis:]))


def _units(starts: list[int]) -> list[list[int]]:
    """Rows of windows that are computed together: the last two where they lie closer than the others."""
    gaps = [b - a for a, b in pairwise(starts)]
    if len(gaps) > 1 and gaps[-1] < max(gaps):
        return [*([start] for start in starts[:-2]), starts[-2:]]
    return [[start] for start in starts]
