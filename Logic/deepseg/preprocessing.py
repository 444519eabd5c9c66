"""From an image to what the network sees: for training and serving alike. The way back is in `deepseg.restoring`.

1. reorder axes to the model's orientation, 2. cut away what the model's crop says, 3. resample to its spacing, 4. normalise each channel
(before 3. where the model says so). The numbers are those of MONAI's `Orientation` and `Spacing`, or of nnU-Net's preprocessor, whichever
rule the model was trained with. One exception: an oblique grid that is resampled and whose header is rounded to float32, where MONAI aligns
the middles of both grids instead of their first voxels (up to half a voxel apart).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg.errors import VolumeError
from deepseg.geometry import Geometry, Orientation
from deepseg.normalisation import NEED_FOREGROUND, normalise
from deepseg.resampling import GridSampler, grid_sampler
from deepseg.spec import ModelSpec
from deepseg.volume import LabelMap, Volume


@dataclass(frozen=True, eq=False)
class Prepared:
    """A volume on the model's grid and the way back.

    Attributes:
        tensor: (C, I, J, K), axes along the model's orientation, in the number type that was asked for.
        geometry: the model's grid.
        orientation: how the input's axes were reordered.
        cut: where the part that was kept lies in the reordered input grid.
        back: from the model's grid to that part.
    """

    tensor: torch.Tensor
    geometry: Geometry
    orientation: Orientation
    cut: tuple[slice, slice, slice]
    back: GridSampler


def prepare(volume: Volume, spec: ModelSpec, dtype: torch.dtype = torch.float32) -> Prepared:
    """Bring a volume to the model's grid and intensities; computed in float32, then stored as `dtype`, which the networks compute in.

    Raises:
        VolumeError: the volume has another number of channels, another unit or another modality than the model takes.
    """
    refuse_unfit(volume, spec)
    orientation = volume.geometry.orientation_to(spec.orientation)
    array, source = orientation.apply(volume.array), volume.geometry.reoriented(orientation)
    cut = (slice(None),) * 3
    if spec.crop == "nonzero":
        cut = _box_of(array.any(axis=0))
        array, source = array[(slice(None), *cut)], source.cropped(tuple(s.start for s in cut), array[(0, *cut)].shape)
    target, there, back = _grids(source, spec)
    foreground = _foreground(array) if _needs_foreground(spec) else None
    if spec.resampling.normalise_first:
        tensor = there.resample(_normalised(array, spec, foreground, torch.float32)).to(dtype)
    else:
        tensor = there.resample(torch.from_numpy(np.ascontiguousarray(array)))
        tensor = _normalised(tensor.numpy(), spec, foreground, dtype)
    return Prepared(tensor, target, orientation, cut, back)


def refuse_unfit(volume: Volume, spec: ModelSpec) -> None:
    """Refuse what a model does not take, as far as the volume tells.

    Raises:
        VolumeError: another number of channels, another unit or another modality.
    """
    if volume.array.shape[0] != len(spec.inputs):
        wanted = ", ".join(f"{item.name} ({item.modality})" for item in spec.inputs)
        raise VolumeError(f"'{volume.name}' has {volume.array.shape[0]} channels; the model {spec.id} takes {len(spec.inputs)}: {wanted}.")
    for unit, modality, item in zip(volume.units, volume.modalities, spec.inputs, strict=True):
        # Only DICOM files tell their modality.
        if modality and item.modality != "other" and modality != item.modality:
            raise VolumeError(
                f"'{volume.name}' is a {modality} image by its DICOM header; the model {spec.id} takes {item.name} ({item.modality}). "
                "Choose another image or another model."
            )
        # 'a.u.' also stands for a unit that the file does not tell, or a model made elsewhere, where its modality allows several.
        if unit not in ("a.u.", item.unit) and not (item.unit == "a.u." and item.modality in ("other", "PT")):
            raise VolumeError(
                f"'{volume.name}' is in {unit}; the model {spec.id} takes {item.name} ({item.modality}, {item.unit}). Choose another model."
            )


def grid_of(geometry: Geometry, spec: ModelSpec) -> Geometry:
    """The model's grid over an image of which nothing is cut away."""
    return _grids(geometry.reoriented(geometry.orientation_to(spec.orientation)), spec)[0]


def prepare_labels(labels: LabelMap, spec: ModelSpec) -> torch.Tensor:
    """Bring a label map to the model's grid, for models that crop nothing: (I, J, K), each voxel the label with most weight there.

    The numbers are uint8, or int32 where the model has more than 255 labels.
    """
    orientation = labels.geometry.orientation_to(spec.orientation)
    kind = np.uint8 if len(spec.labels) < 256 else np.int32
    array = torch.from_numpy(np.ascontiguousarray(orientation.apply(labels.array), dtype=kind))
    _, there, _ = _grids(labels.geometry.reoriented(orientation), spec)
    if there.changes_nothing:
        return array
    # One after the other: all labels' weights at once would take hundreds of bytes a voxel. Background comes first and wins where all are equal.
    result = most = None
    for value in range(len(spec.labels) + 1):
        mask = array == value
        if value and not mask.any():
            continue
        weight = there.resample(mask[None].float())[0]
        if most is None:
            result, most = torch.zeros(weight.shape, dtype=array.dtype), weight
            continue
        more = weight > most
        result.masked_fill_(more, value)
        most = torch.maximum(most, weight)
    return result


def _grids(source: Geometry, spec: ModelSpec) -> tuple[Geometry, GridSampler, GridSampler]:
    """The model's grid over `source`, and the ways there and back."""
    rule = spec.resampling
    spacing = tuple(own if wanted is None else wanted for own, wanted in zip(source.spacing_mm, spec.spacing_mm, strict=True))
    if rule.rule == "extent":
        shape = tuple(max(round(old / new * n), 1) for old, new, n in zip(source.spacing_mm, spacing, source.shape, strict=True))
        target = source.with_extent(shape)
    else:
        target = source.with_spacing(spacing)
        spacing = target.spacing_mm
    there = grid_sampler(source.shape, source.spacing_mm, target.shape, spacing, rule, rule.order)
    back = grid_sampler(target.shape, spacing, source.shape, source.spacing_mm, rule, rule.back_order)
    return target, there, back


def _normalised(array: np.ndarray, spec: ModelSpec, foreground: np.ndarray | None, dtype: torch.dtype) -> torch.Tensor:
    result = torch.empty(array.shape, dtype=dtype)
    for channel, item, to in zip(array, spec.inputs, result, strict=True):
        to.copy_(torch.from_numpy(np.ascontiguousarray(normalise(channel, item.steps, foreground))))
    return result


def _needs_foreground(spec: ModelSpec) -> bool:
    return any(step.scheme in NEED_FOREGROUND for item in spec.inputs for step in item.steps)


def _foreground(array: np.ndarray) -> np.ndarray:
    """Where any channel (C, I, J, K) is not 0, with the holes inside."""
    import SimpleITK as sitk

    mask = sitk.GetImageFromArray(array.any(axis=0).astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.BinaryFillhole(mask)).astype(bool)


def _box_of(mask: np.ndarray) -> tuple[slice, slice, slice]:
    """Smallest box around what is True; everything where nothing is."""
    box = []
    for axis in range(3):
        hits = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(hits[0]), int(hits[-1]) + 1) if len(hits) else slice(0, mask.shape[axis]))
    return tuple(box)
