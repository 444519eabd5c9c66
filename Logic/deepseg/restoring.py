"""The way back, block by block: from the network's answer on the model's grid to labels and probabilities on the image's own grid."""

from __future__ import annotations

import numpy as np
import torch

from deepseg.blending import raster_order
from deepseg.preprocessing import Prepared
from deepseg.resampling import AxisSampler, GridSampler
from deepseg.spec import ModelSpec

_CHUNK_VALUES = 1 << 24
"""Values that are interpolated at a time, so that a coarse model's answer to a fine image needs no memory for all of it."""


class Restorer:
    """Takes blocks of logits in raster order and fills the result's arrays.

    Attributes:
        labels: uint8 or uint16 (I, J, K) on the image's grid, label values or bit fields.
        probabilities: float32 (L, I, J, K), or None where they were not asked for.
    """

    def __init__(self, prepared: Prepared, spec: ModelSpec, shape: tuple[int, int, int], with_probabilities: bool) -> None:
        """`shape` is that of the image. What lies outside the part that was prepared is background."""
        self._spec, self._sampler = spec, prepared.back
        values = max(2 ** len(spec.labels) if spec.overlapping else 0, len(spec.labels) + 1)
        self.labels = np.zeros(shape, np.uint8 if values <= 256 else np.uint16)
        self.probabilities = _background(spec, shape) if with_probabilities else None
        self._labels_part = prepared.orientation.apply(self.labels)[prepared.cut]
        whole = self.probabilities
        self._probabilities_part = None if whole is None else prepared.orientation.apply(whole)[(slice(None), *prepared.cut)]
        self._edges = Edges(raster_order(prepared.geometry.shape))

    @property
    def needs_means(self) -> bool:
        """Whether logits must be divided by the sum of weights; for the largest of several, or the sign, they need not."""
        return self.probabilities is not None or not self._sampler.changes_nothing

    def add(self, corner: tuple[int, int, int], logits: torch.Tensor) -> None:
        """Take the next block (L, i, j, k) with its first voxel at `corner` of the model's grid."""
        if self._sampler.changes_nothing:
            self._write(corner, logits if self.probabilities is None else self._activated(logits.float()))
            return
        # MONAI brings probabilities back, nnU-Net logits.
        late = self._spec.resampling.rule == "extent"
        stop = tuple(c + n for c, n in zip(corner, logits.shape[1:], strict=True))
        ranges = [_outputs(*edges) for edges in zip(self._sampler.axes, corner, stop, strict=True)]
        corner, values = self._edges.extend(corner, logits.float() if late else self._activated(logits.float()))
        if any(start == stop for start, stop in ranges):
            return
        (first, last), *others = ranges
        width = max(_CHUNK_VALUES // (len(values) * int(np.prod([stop - start for start, stop in others]))), 1)
        for start in range(first, last, width):
            chunk = _sampled(self._sampler, values, [(start, min(start + width, last)), *others], corner)
            self._write((start, others[0][0], others[1][0]), self._activated(chunk) if late else chunk)

    def _activated(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(logits) if self._spec.overlapping else torch.softmax(logits, 0)

    def _write(self, corner: tuple[int, int, int], values: torch.Tensor) -> None:
        """Put values (L, i, j, k) in their place: probabilities, or logits where the arrays want labels alone and nothing is interpolated."""
        are_logits = self._sampler.changes_nothing and self.probabilities is None
        # A few planes at a time, because the largest of many is found in a copy.
        width = max(_CHUNK_VALUES // values[:, 0].numel(), 1)
        for some in range(0, values.shape[1], width):
            planes = values[:, some : some + width]
            where = tuple(slice(c, c + n) for c, n in zip((corner[0] + some, *corner[1:]), planes.shape[1:], strict=True))
            self._labels_part[where] = label_codes(planes, self._spec, 0.0 if are_logits else 0.5).cpu().numpy()
            if self._probabilities_part is not None:
                self._probabilities_part[(slice(None), *where)] = planes.cpu().numpy()


class Edges:
    """Remembers the last slice of what came before along each axis, so that interpolation can reach across blocks."""

    def __init__(self, order: tuple[int, int, int]) -> None:
        """`order` is that of the axes in which blocks come, the slowest first."""
        self._order = order
        # Of the first axis one slice for each place along the other two, of the second one for each along the third, of the third the last one.
        self._kept: tuple[dict[tuple[int, ...], torch.Tensor], ...] = ({}, {}, {})

    def extend(self, corner: tuple[int, int, int], block: torch.Tensor) -> tuple[tuple[int, ...], torch.Tensor]:
        """A block (L, i, j, k) with one more slice in front along each axis that has something in front, and its corner."""
        for n, (axis, kept) in enumerate(zip(self._order, self._kept, strict=True)):
            place = tuple(corner[later] for later in self._order[n + 1 :])
            last = block.narrow(axis + 1, block.shape[axis + 1] - 1, 1).clone()
            if corner[axis] > 0:
                block = torch.cat([kept[place], block], axis + 1)
            kept[place] = last
        return tuple(max(c - 1, 0) for c in corner), block


def label_codes(values: torch.Tensor, spec: ModelSpec, threshold: float) -> torch.Tensor:
    """Labels of probabilities or logits (L, I, J, K): label values (I, J, K), or bit fields where labels may overlap.

    `threshold` is what a value must exceed for a label that may overlap others: 0.5 for probabilities, 0 for logits.
    """
    if not spec.overlapping:
        return values.argmax(0).to(_torch_type(len(spec.labels)))
    codes = torch.zeros(values.shape[1:], dtype=torch.int32, device=values.device)
    for n, channel in enumerate(values):
        present = channel > threshold
        codes = torch.where(present, spec.output.painting[n], codes) if spec.output.painting else codes | (present.int() << n)
    return codes.to(_torch_type(2 ** len(spec.labels) - 1))


def _torch_type(largest: int) -> torch.dtype:
    return torch.uint8 if largest < 256 else torch.uint16


def _background(spec: ModelSpec, shape: tuple[int, int, int]) -> np.ndarray:
    whole = np.zeros((spec.channel_count, *shape), np.float32)
    if not spec.overlapping:
        whole[0] = 1.0
    return whole


def _outputs(axis: AxisSampler | None, start: int, stop: int) -> tuple[int, int]:
    """Range of output voxels for which source voxels `start` to `stop` were the last that was missing."""
    if axis is None:
        return start, stop
    last_needed = axis.reach[1]
    return int(np.searchsorted(last_needed, start)), int(np.searchsorted(last_needed, stop))


def _sampled(sampler: GridSampler, values: torch.Tensor, ranges: list[tuple[int, int]], corner: tuple[int, int, int]) -> torch.Tensor:
    for axis, (own, (start, stop)) in enumerate(zip(sampler.axes, ranges, strict=True)):
        if own is None:
            values = values.narrow(axis + 1, start - corner[axis], stop - start)
        else:
            values = own.sample(values, axis + 1, start, stop, corner[axis])
    return values
