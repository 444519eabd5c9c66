"""From an image to what the network sees, and from its answer back to the image's grid: for training and serving alike.

Forward: 1. reorder axes to the model's orientation, 2. resample to its spacing, 3. normalise each channel.
Back: 1. resample probabilities to the reordered grid, 2. reorder axes. Both resamplings are linear, so that a probability stays one,
and follow the rule of MONAI's `Orientation` and `Spacing`, so that stock MONAI computes the same numbers.
One exception: an oblique grid that is resampled and whose header is rounded to float32, where MONAI aligns the middles of both grids
instead of their first voxels (up to half a voxel apart).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg.errors import VolumeError
from deepseg.geometry import Geometry, Orientation
from deepseg.normalisation import normalise
from deepseg.spec import ModelSpec
from deepseg.volume import LabelMap, Volume


@dataclass(frozen=True, eq=False)
class Prepared:
    """A volume on the model's grid and the way back.

    Attributes:
        tensor: float32 (C, I, J, K), axes along the model's orientation.
        geometry: the model's grid.
        oriented: the input grid with reordered axes.
        orientation: how the axes were reordered.
    """

    tensor: torch.Tensor
    geometry: Geometry
    oriented: Geometry
    orientation: Orientation


def prepare(volume: Volume, spec: ModelSpec) -> Prepared:
    """Bring a volume to the model's grid and intensities.

    Raises:
        VolumeError: the volume has another number of channels or another unit than the model takes.
    """
    _refuse_unfit(volume, spec)
    orientation = volume.geometry.orientation_to(spec.orientation)
    oriented = volume.geometry.reoriented(orientation)
    target = oriented.with_spacing(spec.spacing_mm)
    array = torch.from_numpy(np.ascontiguousarray(orientation.apply(volume.array)))
    resampled = _resample_linear(array, _positions(oriented, target))
    channels = [normalise(channel.numpy(), item) for channel, item in zip(resampled, spec.inputs, strict=True)]
    return Prepared(torch.from_numpy(np.stack(channels)), target, oriented, orientation)


def _refuse_unfit(volume: Volume, spec: ModelSpec) -> None:
    if volume.array.shape[0] != len(spec.inputs):
        wanted = ", ".join(f"{item.name} ({item.modality})" for item in spec.inputs)
        raise VolumeError(f"'{volume.name}' has {volume.array.shape[0]} channels; the model {spec.id} takes {len(spec.inputs)}: {wanted}.")
    for unit, item in zip(volume.units, spec.inputs, strict=True):
        # 'a.u.' also stands for a unit that the file does not tell.
        if unit not in ("a.u.", item.unit):
            raise VolumeError(
                f"'{volume.name}' is in {unit}; the model {spec.id} takes {item.name} ({item.modality}, {item.unit}). Choose another model."
            )


def prepare_labels(labels: LabelMap, spec: ModelSpec) -> torch.Tensor:
    """Bring a label map to the model's grid: int64 (I, J, K), each voxel the label with most weight there."""
    orientation = labels.geometry.orientation_to(spec.orientation)
    oriented = labels.geometry.reoriented(orientation)
    array = torch.from_numpy(np.ascontiguousarray(orientation.apply(labels.array)).astype(np.int64))
    positions = _positions(oriented, oriented.with_spacing(spec.spacing_mm))
    if all(position is None for position in positions):
        return array
    one_hot = torch.nn.functional.one_hot(array, spec.class_count).movedim(-1, 0).float()
    return _resample_linear(one_hot, positions).argmax(0)


def restore(values: torch.Tensor, prepared: Prepared) -> np.ndarray:
    """Bring values (L, I, J, K) from the model's grid back to the input grid: float32 (L, I, J, K)."""
    back = _resample_linear(values.float(), _positions(prepared.geometry, prepared.oriented))
    return np.ascontiguousarray(prepared.orientation.inverse().apply(back.numpy()))


def _positions(source: Geometry, target: Geometry) -> list[np.ndarray | None]:
    """Where the target's voxels lie along each axis of the source, in voxels; None where the two coincide.

    The grids share their axes and the centre of their first voxel, so each axis is on its own.
    """
    positions: list[np.ndarray | None] = []
    for axis in range(3):
        at = np.arange(target.shape[axis]) * (target.spacing_mm[axis] / source.spacing_mm[axis])
        same = source.shape[axis] == target.shape[axis] and np.abs(at - np.arange(len(at))).max() < 1e-4
        positions.append(None if same else at)
    return positions


def _resample_linear(values: torch.Tensor, positions: list[np.ndarray | None]) -> torch.Tensor:
    """Linear interpolation of (C, I, J, K) at `positions` along each axis; beyond the border its value is kept."""
    for axis, position in enumerate(positions, start=1):
        if position is None:
            continue
        at = torch.from_numpy(position.clip(0, values.shape[axis] - 1))
        low = at.floor().long()
        high = (low + 1).clamp(max=values.shape[axis] - 1)
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        weight = (at - low).to(values.dtype).reshape(shape)
        values = torch.lerp(values.index_select(axis, low), values.index_select(axis, high), weight)
    return values
