"""The files of one patient as the one volume that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepseg.bias_field import correct_bias_field
from deepseg.errors import VolumeError
from deepseg.io import read_volume
from deepseg.spec import ModelSpec
from deepseg.stacking import stack_volumes
from deepseg.volume import LabelMap, Volume

PREPARATION = "DeepSeg.Preparation"
"""Attribute of a result: what was done to the images before the model's own preprocessing."""


def read_inputs(paths: Sequence[str | Path], spec: ModelSpec, n4: bool = False) -> tuple[Volume, list[str]]:
    """Read a model's inputs and put them on the first one's grid.

    Args:
        paths: image files or DICOM folders, one per input, in the model's order.
        spec: the model's.
        n4: correct the bias field of its MR inputs first.

    Returns:
        The volume, and what was done to the images, a sentence each.

    Raises:
        VolumeError: another number of images than the model takes, one cannot be read, or they do not overlap in space.
    """
    refuse_other_number(len(paths), spec)
    return prepare_inputs([read_volume(path) for path in paths], spec, n4)


def prepare_inputs(volumes: Sequence[Volume], spec: ModelSpec, n4: bool = False) -> tuple[Volume, list[str]]:
    """`read_inputs` for volumes of one channel that have been read already."""
    refuse_other_number(len(volumes), spec)
    volume, notes = stack_volumes(volumes)
    return (correct_mr_inputs(volume, spec), [*notes, "The bias field was corrected by N4."]) if n4 else (volume, notes)


def with_preparation(labels: LabelMap, notes: Sequence[str]) -> LabelMap:
    """The result with the sentences of `read_inputs` among its attributes."""
    return replace(labels, attributes={**labels.attributes, PREPARATION: " ".join(notes)}) if notes else labels


def refuse_other_number(count: int, spec: ModelSpec) -> None:
    """Refuse another number of images than the model takes, with the names of those it wants."""
    if count != len(spec.inputs):
        wanted = ", ".join(f"{item.name} ({item.modality})" for item in spec.inputs)
        few, many = ("image was", "images were")
        raise VolumeError(
            f"{count} {few if count == 1 else many} given; the model {spec.id} takes {len(spec.inputs)}{', in this order' * (len(spec.inputs) > 1)}: "
            f"{wanted}."
        )


def correct_mr_inputs(volume: Volume, spec: ModelSpec) -> Volume:
    """N4 for those channels that the model takes as MR; the others stay.

    Raises:
        VolumeError: the model takes no MR image.
    """
    chosen = [n for n, item in enumerate(spec.inputs) if item.modality == "MR"]
    if not chosen:
        raise VolumeError(f"N4 corrects MR images; the model {spec.id} takes {', '.join(item.modality for item in spec.inputs)}. Leave N4 out.")
    array = volume.array.copy() if len(chosen) < len(volume.array) else np.empty_like(volume.array)
    for n in chosen:
        channel = Volume(volume.array[n : n + 1], volume.geometry, (volume.units[n],), volume.name, (volume.modalities[n],))
        array[n] = correct_bias_field(channel).array[0]
    return Volume(array, volume.geometry, volume.units, volume.name, volume.modalities)
