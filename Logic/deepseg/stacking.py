"""Several input volumes as the channels of one: all on the first one's grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deepseg.errors import VolumeError
from deepseg.geometry import Geometry, reverse_axes
from deepseg.volume import Volume

if TYPE_CHECKING:
    import SimpleITK as sitk


def stack_volumes(volumes: Sequence[Volume]) -> tuple[Volume, list[str]]:
    """Put volumes of one patient into one, each giving its channels in turn.

    The first volume's grid is kept; the others are resampled to it linearly, by their place in the world, where they lie on another grid.
    Outside another volume's field of view a voxel gets that volume's minimum.

    Returns:
        The volume, and a sentence for each input that was resampled.

    Raises:
        VolumeError: there is no volume, or one does not overlap the first in space at all.
    """
    if not volumes:
        raise VolumeError("There is no image to segment. Name at least one.")
    first = volumes[0]
    if len(volumes) == 1:
        return first, []
    arrays, notes = [first.array], []
    for other in volumes[1:]:
        if other.geometry.is_close(first.geometry):
            arrays.append(other.array)
        else:
            array, note = _resampled(other, first)
            arrays.append(array)
            notes.append(note)
    units, modalities = (tuple(value for volume in volumes for value in getattr(volume, name)) for name in ("units", "modalities"))
    return Volume(np.concatenate(arrays), first.geometry, units, " + ".join(volume.name for volume in volumes), modalities), notes


def _resampled(other: Volume, first: Volume) -> tuple[np.ndarray, str]:
    """The channels of `other` on the grid of `first`, and what to say about it."""
    import SimpleITK as sitk

    grid = sitk.Image(first.geometry.shape, sitk.sitkUInt8)
    _place(grid, first.geometry)
    inside = sitk.Resample(_image(np.ones(other.geometry.shape, np.uint8), other.geometry), grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    outside = 1 - float(sitk.GetArrayViewFromImage(inside).mean())
    if outside == 1:
        raise VolumeError(
            f"'{other.name}' does not overlap '{first.name}' in space: it lies at {_span(other.geometry)} mm RAS, the other at "
            f"{_span(first.geometry)} mm. Choose images of the same patient and place, or register them first."
        )
    channels = []
    for channel in other.array:
        image = sitk.Resample(_image(channel, other.geometry), grid, sitk.Transform(), sitk.sitkLinear, float(channel.min()))
        channels.append(reverse_axes(sitk.GetArrayFromImage(image)))
    lost = f"; {_percent(outside)} of its voxels lie outside '{other.name}' and got that image's minimum" if outside else ""
    note = f"'{other.name}' ({_grid(other.geometry)}) was resampled to the grid of '{first.name}' ({_grid(first.geometry)}){lost}."
    return np.stack(channels), note


def _image(array: np.ndarray, geometry: Geometry) -> sitk.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(reverse_axes(array)))
    _place(image, geometry)
    return image


def _place(image: sitk.Image, geometry: Geometry) -> None:
    origin, spacing, directions = geometry.to_lps()
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(directions)


def _grid(geometry: Geometry) -> str:
    return f"{' x '.join(map(str, geometry.shape))} voxels of {' x '.join(f'{side:.3g}' for side in geometry.spacing_mm)} mm"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def _span(geometry: Geometry) -> str:
    corners = geometry.corners_ras()
    low, high = (f"({', '.join(f'{v:.0f}' for v in at)})" for at in (corners.min(0), corners.max(0)))
    return f"{low} to {high}"
