"""A small picture of one case: the axial slice with most of its segments."""

from __future__ import annotations

import numpy as np

from deepseg.geometry import Geometry
from deepseg.pictures import AXIAL, Screen, slice_picture
from deepseg.volume import LabelMap, Volume

_LARGEST_SIDE = 192


def thumbnail(volume: Volume, labels: LabelMap) -> str:
    """An inline SVG of the first channel with the outlines of the segments, through their middle or, without any, the volume's.

    Raises:
        DeepSegError: a package of the 'report' extra is missing.
    """
    screen = Screen.of(volume, labels)
    values = [label.value for label in labels.labels]
    index = screen.slice_through(AXIAL, values) if screen.where(values).any() else screen.image.shape[AXIAL.normal] // 2
    small = _thinned(screen, index)
    return slice_picture(small, AXIAL, 0, small.whole_frame(AXIAL))


def _thinned(screen: Screen, index: int) -> Screen:
    """One axial slice with so many voxels left out that the picture stays small."""
    step = -(-max(screen.image.shape[:2]) // _LARGEST_SIDE)
    part = (slice(None, None, step), slice(None, None, step), slice(index, index + 1))
    matrix = screen.geometry.ijk_to_ras.copy()
    matrix[:3, 3] = screen.geometry.ras_from_ijk((0, 0, index))
    matrix[:3, :2] *= step
    image, segments = (np.ascontiguousarray(array[part]) for array in (screen.image, screen.segments))
    return Screen(image, segments, Geometry(image.shape, matrix), screen.labels, screen.window, screen.overlapping)
