"""One sampling from the image straight to the patch, whatever was drawn: nothing is resampled twice, nothing larger than the patch is made."""

from __future__ import annotations

from typing import Literal

import torch

from deepseg_train.augmentation.geometry.affine import Affine
from deepseg_train.augmentation.geometry.elastic import Elastic, displacement
from deepseg_train.augmentation.geometry.labels import read_labels


def reading_places(
    start: tuple[int, int, int],
    size: tuple[int, int, int],
    flipped: tuple[bool, bool, bool],
    affine: Affine | None,
    elastic: Elastic | None,
) -> torch.Tensor:
    """Where each voxel of the patch reads the image: voxel coordinates of the image along I, J, K, float32 (3, I, J, K)."""
    center = torch.tensor([(n - 1) / 2 for n in size], dtype=torch.float64)
    matrix = torch.eye(3, dtype=torch.float64) if affine is None else torch.tensor(affine.matrix, dtype=torch.float64)
    offset = torch.tensor(start, dtype=torch.float64) + center
    if affine is not None:
        offset = offset + torch.tensor(affine.translation, dtype=torch.float64)
    matrix = matrix * torch.tensor([-1.0 if mirrored else 1.0 for mirrored in flipped], dtype=torch.float64)
    offset = (offset - matrix @ center).float()
    steps = [torch.arange(n, dtype=torch.float64) for n in size]
    along_i, along_j, along_k = ((matrix[:, axis, None] * steps[axis]).float() for axis in range(3))
    places = torch.empty((3, *size))
    torch.add((along_i + offset[:, None])[:, :, None, None] + along_j[:, None, :, None], along_k[:, None, None, :], out=places)
    return places if elastic is None else places.add_(displacement(elastic, size))


def sample(image: torch.Tensor, label: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Read image (C, I, J, K), linearly, and label (1, I, J, K), the label with most weight, at `places` (3, I', J', K'); 0 beyond the image."""
    box = _box_around(places, image.shape[1:])
    if box is None:
        size = places.shape[1:]
        return image.new_zeros((image.shape[0], *size)), label.new_zeros((1, *size))
    image, label = (array[(slice(None), *box)] for array in (image, label))
    places = places - torch.tensor([float(part.start) for part in box]).view(3, 1, 1, 1)
    return read_linearly(image, places), read_labels(label, places)


def _box_around(places: torch.Tensor, shape: torch.Size) -> tuple[slice, slice, slice] | None:
    """The part of the image that is read; None where nothing of it is."""
    box = []
    for along_axis, n in zip(places, shape, strict=True):
        low, high = (float(end) for end in along_axis.aminmax())
        box.append(slice(max(int(low) - 1, 0), min(int(high) + 2, n)))
        if box[-1].start >= box[-1].stop:
            return None
    return box[0], box[1], box[2]


def read_linearly(image: torch.Tensor, places: torch.Tensor, beyond: Literal["zeros", "border"] = "zeros") -> torch.Tensor:
    """Read an image (C, I, J, K) at `places` (3, I', J', K') by linear interpolation; beyond it are zeros, or its border goes on."""
    # PyTorch counts from the outer faces of the first and last voxel, -1 to 1, and names the last axis first.
    factors = torch.tensor([2 / n for n in image.shape[1:]]).view(3, 1, 1, 1)
    grid = torch.addcmul(factors / 2 - 1, places, factors).flip(0).movedim(0, -1)
    return torch.nn.functional.grid_sample(image[None], grid[None], padding_mode=beyond, align_corners=False)[0]
