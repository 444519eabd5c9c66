"""From the block of voxels that was segmented to the whole image: what lies outside the region of interest is background."""

from __future__ import annotations

import numpy as np

from deepseg.box import Box
from deepseg.geometry import Geometry

Where = tuple[slice, slice, slice]


def labels_in_whole(part: np.ndarray, roi: Box | None, where: Where, geometry: Geometry) -> np.ndarray:
    """Labels (i, j, k) of the block `where`, put into a grid; a block holds corners that lie outside a turned box."""
    if roi is None:
        return part
    whole = np.zeros(geometry.shape, part.dtype)
    for plane, inside, result in zip(part, roi.planes_inside(geometry, where), whole[where], strict=True):
        result[inside] = plane[inside]
    return whole


def probabilities_in_whole(part: np.ndarray, roi: Box | None, where: Where, geometry: Geometry, overlapping: bool) -> np.ndarray:
    """Probabilities (L, i, j, k) of the block `where`, put into a grid; elsewhere background is 1, or every label 0 where labels may overlap."""
    if roi is None:
        return part
    whole = np.zeros((len(part), *geometry.shape), np.float32)
    if not overlapping:
        whole[0] = 1.0
    planes = whole[(slice(None), *where)].swapaxes(0, 1)
    for plane, inside, result in zip(part.swapaxes(0, 1), roi.planes_inside(geometry, where), planes, strict=True):
        result[:, inside] = plane[:, inside]
    return whole
