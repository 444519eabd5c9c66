"""Logits of overlapping windows, weighted and added up, to blocks of the whole."""

from __future__ import annotations

import torch

from deepseg.frontier import Emit, Frontier
from deepseg.spec import ModelSpec
from deepseg.windows import all_starts, window_weight

_CHUNK_VALUES = 1 << 22


def raster_order(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Order of the axes in which windows and blocks come: the longest axis first, because what is held lies across it."""
    return tuple(sorted(range(3), key=lambda axis: -shape[axis]))


class Blender:
    """Takes the logits of the windows over an image one by one, and hands out blocks as soon as they are whole.

    A model from nnU-Net is blended as nnU-Net blends it, in half precision (`Plan.held`) and each member for itself, although that leaves whole
    numbers of a logit in the corners of an image, where the weights are its smallest numbers.

    Attributes:
        corners: first voxels (I, J, K) of the windows, in the order in which `add` takes them.
    """

    def __init__(
        self,
        spec: ModelSpec,
        shape: tuple[int, int, int],
        emit: Emit,
        members: int = 1,
        averages: bool = True,
        means: bool = True,
        held: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """`members` are blended apart and, if `averages`, averaged at the end; the other arguments are those of `deepseg.inference.run_windows`."""
        window, self._order = spec.window, raster_order(shape)
        self._members, self._channels, self._means, self._emit = members if averages else 1, members * spec.channel_count, means, emit
        self._weight = window_weight(window).permute(self._order).contiguous().to(device)
        starts = all_starts(shape, window)
        self._frontier = Frontier(
            self._channels + means,
            tuple(window.size[axis] for axis in self._order),
            tuple(starts[axis] for axis in self._order),
            self._hand_out,
            held,
            device,
        )
        self.corners = [self._in_place(corner) for corner in self._frontier.corners]

    def add(self, logits: torch.Tensor) -> None:
        """The next window's logits (members * L, i, j, k)."""
        logits = logits.permute(0, *(axis + 1 for axis in self._order))
        room, occupied = self._frontier.room()
        # A few planes at a time: PyTorch converts number types through copies of its arguments.
        width = max(_CHUNK_VALUES // room[:, 0].numel(), 1)
        for first in range(0, len(self._weight), width):
            planes = slice(first, first + width)
            if occupied:
                room[: self._channels, planes] += logits[:, planes] * self._weight[planes]
            else:
                torch.mul(logits[:, planes], self._weight[planes], out=room[: self._channels, planes])
        if self._means:
            room[-1] = room[-1] + self._weight if occupied else self._weight

    def push(self) -> None:
        """Hand out what is whole now. The logits that were added are not needed for it, and with many labels they are large."""
        self._frontier.push()

    def _hand_out(self, corner: tuple[int, int, int], sums: torch.Tensor) -> None:
        block = sums.permute(0, *(axis + 1 for axis in self._in_place((0, 1, 2))))
        if self._means:
            block = block[:-1] / block[-1:]
        if self._members > 1:
            block = block.unflatten(0, (self._members, -1)).float().mean(0)
        self._emit(self._in_place(corner), block)

    def _in_place(self, values: tuple[int, int, int]) -> tuple[int, int, int]:
        """Three values in raster order, by axis."""
        return tuple(values[self._order.index(axis)] for axis in range(3))
