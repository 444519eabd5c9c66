"""From one voxel grid to another with the same axes: splines of order 0, 1 or 3, one axis after the other.

Each axis is a small matrix, so any range of output planes can be had from the input planes it needs: a long volume is resampled
piece by piece. Cubic splines are those of `scipy.ndimage` (mode 'nearest'), without needing scipy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from deepseg.spec import ResamplingSpec

THICK_SLICES = 3.0
"""Ratio of the largest to the smallest voxel side above which slices count as thick (nnU-Net's anisotropy threshold)."""

_PADDING = 12
"""Voxels by which scipy pads a line before it fits a cubic spline in mode 'nearest'."""


@dataclass(frozen=True, eq=False)
class AxisSampler:
    """Values along one axis at other positions.

    Attributes:
        positions: where to sample, in voxels of the source; beyond the border its value is kept.
        length: voxels of the source.
        order: 0 nearest, 1 linear, 3 cubic.
    """

    positions: np.ndarray
    length: int
    order: int

    @cached_property
    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last source voxel that each position looks at; a cubic spline looks at all of them."""
        at = self.positions.clip(0, self.length - 1)
        if self.order == 3:
            return np.zeros(len(at), int), np.full(len(at), self.length - 1)
        if self.order == 0:
            nearest = self._nearest()
            return nearest, nearest
        return np.floor(at).astype(int), np.minimum(np.floor(at).astype(int) + 1, self.length - 1)

    def sample(self, values: torch.Tensor, axis: int, start: int = 0, stop: int | None = None, offset: int = 0) -> torch.Tensor:
        """Values at positions `start` to `stop` along `axis`, from a piece of the source that begins at its voxel `offset`."""
        low, high = (torch.from_numpy(edge[start:stop] - offset).to(values.device) for edge in self.reach)
        if self.order == 0:
            return values.index_select(axis, low)
        shape = [1] * values.ndim
        shape[axis] = -1
        if self.order == 1:
            at = self.positions[start:stop].clip(0, self.length - 1)
            # In float32 before it moves: Apple's GPU has no float64.
            weight = torch.from_numpy((at - self.reach[0][start:stop]).astype(np.float32)).to(values).reshape(shape)
            return torch.lerp(values.index_select(axis, low), values.index_select(axis, high), weight)
        matrix = torch.from_numpy(self._cubic_matrix()[start:stop].astype(np.float32)).to(values)
        return torch.tensordot(values, matrix, dims=([axis], [1])).movedim(-1, axis)

    def _nearest(self) -> np.ndarray:
        return np.floor(self.positions.clip(0, self.length - 1) + 0.5).astype(int).clip(0, self.length - 1)

    def _cubic_matrix(self) -> np.ndarray:
        """(positions, length): source values to spline values. Pad with the border's value, fit the spline, read it off."""
        padded = self.length + 2 * _PADDING
        pad = np.eye(self.length)[np.arange(-_PADDING, self.length + _PADDING).clip(0, self.length - 1)]
        fit = np.diag(np.full(padded, 4 / 6)) + np.diag(np.full(padded - 1, 1 / 6), 1) + np.diag(np.full(padded - 1, 1 / 6), -1)
        fit[0, 1] = fit[-1, -2] = 2 / 6  # mirrored at the ends
        coefficients = np.linalg.solve(fit, pad)
        at = self.positions.clip(-_PADDING + 2, self.length + _PADDING - 4) + _PADDING
        first = np.floor(at).astype(int) - 1
        t = at - np.floor(at)
        weights = np.stack([(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6], axis=1)
        read = np.zeros((len(at), padded))
        for tap in range(4):
            read[np.arange(len(at)), first + tap] = weights[:, tap]
        return read @ coefficients


@dataclass(frozen=True, eq=False)
class GridSampler:
    """Values on one grid at the voxels of another with the same axes.

    Attributes:
        axes: one sampler an axis; None where source and target coincide.
        within: the axes that are sampled together; a third one, across thick slices, comes after them.
    """

    axes: tuple[AxisSampler | None, AxisSampler | None, AxisSampler | None]
    within: tuple[int, ...] = (0, 1, 2)

    @property
    def changes_nothing(self) -> bool:
        return all(axis is None for axis in self.axes)

    def resample(self, values: torch.Tensor) -> torch.Tensor:
        """Values (C, I, J, K) on the target grid. A cubic spline does not leave the range of what it smooths (scikit-image's `resize`)."""
        dims = [axis + 1 for axis in self.within]
        cubic = any(self.axes[axis] is not None and self.axes[axis].order == 3 for axis in self.within)
        limits = (values.amin(dims, keepdim=True), values.amax(dims, keepdim=True)) if cubic else None
        for axis in sorted(range(3), key=lambda axis: axis not in self.within):
            if limits and axis not in self.within:
                values, limits = values.clamp(*limits), None
            if (sampler := self.axes[axis]) is not None:
                values = sampler.sample(values, axis + 1)
        return values.clamp(*limits) if limits else values


def grid_sampler(
    shape: tuple[int, ...], spacing: tuple[float, ...], to_shape: tuple[int, ...], to_spacing: tuple[float, ...], rule: ResamplingSpec, order: int
) -> GridSampler:
    """How to get values on one grid from values on another with the same axes; shapes in voxels, spacings in mm, `order` within the slices."""
    thick = _thick_axis(spacing, to_spacing) if rule.slice_order is not None else None
    axes: list[AxisSampler | None] = []
    for axis, (length, count) in enumerate(zip(shape, to_shape, strict=True)):
        at = np.arange(count) * (to_spacing[axis] / spacing[axis])
        if rule.rule == "extent":
            at = (np.arange(count) + 0.5) * (length / count) - 0.5
        same = length == count and np.abs(at - np.arange(count)).max() < 1e-4
        axes.append(None if same else AxisSampler(at, length, rule.slice_order if axis == thick else order))
    return GridSampler(tuple(axes), tuple(axis for axis in range(3) if axis != thick))


def _thick_axis(first: tuple[float, ...], second: tuple[float, ...]) -> int | None:
    """The axis across thick slices, by the first of the two spacings that has any (nnU-Net's rule); None where two axes are equally long."""
    for spacing in (first, second):
        if max(spacing) / min(spacing) > THICK_SLICES:
            longest = [axis for axis in range(3) if spacing[axis] == max(spacing)]
            return longest[0] if len(longest) == 1 else None
    return None
