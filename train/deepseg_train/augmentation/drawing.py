"""What happens to one patch: drawn first, applied later, so that it can be written down and replayed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from deepseg_train.augmentation.cutout import Cutout, draw_cutout
from deepseg_train.augmentation.geometry.affine import Affine, draw_affine
from deepseg_train.augmentation.geometry.elastic import Elastic, draw_elastic
from deepseg_train.augmentation.geometry.flip import draw_flips
from deepseg_train.augmentation.geometry.position import cut_out, random_start
from deepseg_train.augmentation.geometry.sampling import reading_places, sample
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.intensity import CHANGES, IntensityChange
from deepseg_train.augmentation.record import from_record, to_record
from deepseg_train.augmentation.settings import AugmentationSettings

NO_FOREGROUND = np.zeros((0, 4), np.int32)


@dataclass(frozen=True)
class Draw:
    """All that is random about one patch; the same draw gives the same patch, to the bit.

    Attributes:
        size: of the patch, I, J, K.
        start: the image's voxel where the patch begins, before it is changed in place and shape; may be negative.
        flipped: which of I, J, K are mirrored.
        affine: None where there is none; as `elastic` and `cutout`.
        intensity: for each channel its changes in turn.
    """

    size: tuple[int, int, int]
    start: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    affine: Affine | None
    elastic: Elastic | None
    intensity: tuple[tuple[IntensityChange, ...], ...]
    cutout: Cutout | None

    def to_json(self) -> dict[str, Any]:
        """Numbers, flags, text, lists and mappings alone."""
        channels = [[{"change": type(change).__name__, **to_record(change)} for change in channel] for channel in self.intensity]
        return {**to_record(replace(self, intensity=())), "intensity": channels}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Draw:
        """The draw that `to_json` wrote down.

        Raises:
            KeyError, TypeError: the record is of something else.
        """
        channels = tuple(tuple(_change(dict(change)) for change in channel) for channel in record["intensity"])
        return replace(from_record(cls, {**record, "intensity": ()}), intensity=channels)


def draw(
    settings: AugmentationSettings,
    rng: np.random.Generator,
    grid: PatchGrid,
    shape: tuple[int, int, int, int],
    foreground: np.ndarray = NO_FOREGROUND,
) -> Draw:
    """Draw everything for one patch.

    Args:
        settings: how likely and how strong.
        rng: random numbers; as many are taken for a draw as it needs.
        grid: the patch.
        shape: of the image, (C, I, J, K).
        foreground: int (n, 4), voxels of labels: rows of label value, I, J, K.
    """
    channels, *extent = shape
    return Draw(
        size=grid.size,
        start=random_start(rng, tuple(extent), grid.size, settings.oversample_foreground, foreground),
        flipped=draw_flips(settings.flip, rng, grid),
        affine=draw_affine(settings.affine, rng, grid) if rng.random() < settings.affine.probability else None,
        elastic=draw_elastic(settings.elastic, rng, grid) if rng.random() < settings.elastic.probability else None,
        intensity=tuple(tuple(_intensity(settings, rng, grid)) for _ in range(channels)),
        cutout=draw_cutout(settings.cutout, rng, grid) if rng.random() < settings.cutout.probability else None,
    )


def _intensity(settings: AugmentationSettings, rng: np.random.Generator, grid: PatchGrid) -> list[IntensityChange]:
    changes = []
    for name, kind in CHANGES.items():
        of_change = getattr(settings, name)
        if rng.random() < of_change.probability:
            changes.append(kind.draw(of_change, rng, grid))
    return changes


def apply(drawn: Draw, image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the patch that was drawn; what lies beyond the image is 0 in both.

    Args:
        drawn: what happens.
        image: float32 (C, I, J, K) on the model's grid; stays as it is.
        label: uint8 (1, I, J, K).

    Returns:
        New arrays (C, *size) and (1, *size).
    """
    if drawn.affine is None and drawn.elastic is None:
        image, label = (cut_out(array, drawn.start, drawn.size) for array in (image, label))
        axes = [axis + 1 for axis, mirrored in enumerate(drawn.flipped) if mirrored]
        if axes:
            image, label = image.flip(axes), label.flip(axes)
    else:
        image, label = sample(image, label, reading_places(drawn.start, drawn.size, drawn.flipped, drawn.affine, drawn.elastic))
    for channel, changes in zip(image, drawn.intensity, strict=True):
        changed = channel
        for change in changes:
            changed = change.apply(changed)
        if changes:
            channel.copy_(changed)
    if drawn.cutout is not None:
        drawn.cutout.apply(image)
    return image, label


def _change(record: dict[str, Any]) -> IntensityChange:
    kinds = {kind.__name__: kind for kind in CHANGES.values()}
    return from_record(kinds[record.pop("change")], record)
