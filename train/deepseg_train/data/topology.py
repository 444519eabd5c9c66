"""How deep a U-Net is for a patch, and where it halves and convolves: nnU-Net's rules (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepseg.networks.window_fit import axes_to_halve, kernel_sides

FIRST_FEATURES, MOST_FEATURES = 32, 320
"""Channels of the finest stage, doubled from one to the next, and of the coarsest at most."""


@dataclass(frozen=True)
class Topology:
    """Stages of a U-Net from fine to coarse, each with an entry for each axis.

    Attributes:
        patch: voxels, multiples of what the strides make together.
        strides: 1 or 2 along each axis; those of the first stage are 1.
        kernels: sides of the convolutions, 3, or 1 across slices that are still at least twice as thick as the pixels are wide.
    """

    patch: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]

    @property
    def features(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(min(FIRST_FEATURES * 2**stage, MOST_FEATURES) for stage in range(len(self.strides)))

    @property
    def factors(self) -> tuple[int, ...]:
        """What the patch's sides must be multiples of."""
        return tuple(np.prod(self.strides, axis=0).tolist())

    def feature_voxels(self, classes: int) -> int:
        """Numbers that the network's feature maps hold together, for one patch: what memory grows with.

        Counted as in nnU-Net: two convolutions a stage and one transposed one a step up, and the answer with its classes (background included).
        """
        sizes, size = [], np.asarray(self.patch)
        for stride in self.strides:
            size = size // np.asarray(stride)
            sizes.append(int(np.prod(size, dtype=np.int64)))
        down = sum(2 * features * voxels for features, voxels in zip(self.features, sizes, strict=True))
        up = sum(3 * features * voxels for features, voxels in zip(self.features[:-1], sizes[:-1], strict=True))
        return down + up + classes * sizes[0]


def topology_of(patch: Sequence[float], spacing_mm: Sequence[float]) -> Topology:
    """Stages for a patch, which is rounded up to what they need.

    Args:
        patch: voxels along the axes; halves, as medians may be, are rounded up last.
        spacing_mm: voxel sizes along them.
    """
    size, spacing = [float(side) for side in patch], [float(side) for side in spacing_mm]
    strides, kernels = [(1,) * len(size)], []
    while halved := axes_to_halve(size, spacing):
        kernels.append(kernel_sides(spacing, kernels[-1] if kernels else ()))
        strides.append(tuple(2 if axis in halved else 1 for axis in range(len(size))))
        for axis in halved:
            size[axis], spacing[axis] = -(-size[axis] // 2), 2 * spacing[axis]
    kernels.append((3,) * len(size))
    factors = np.prod(strides, axis=0).tolist()
    whole = tuple(int(-(-float(side) // factor)) * factor for side, factor in zip(patch, factors, strict=True))
    return Topology(whole, tuple(strides), tuple(kernels))
