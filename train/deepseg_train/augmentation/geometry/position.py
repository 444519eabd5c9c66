"""Where a patch is taken: anywhere in the image, or around a voxel of a label (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z)."""

from __future__ import annotations

import numpy as np
import torch


def random_start(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    size: tuple[int, int, int],
    foreground_share: float,
    foreground: np.ndarray,
) -> tuple[int, int, int]:
    """The voxel (I, J, K) of the image where the patch begins; negative along axes where the image is smaller, which then lies in the middle.

    Args:
        rng: random numbers.
        shape: of the image, I, J, K.
        size: of the patch.
        foreground_share: how often the patch is taken around a voxel of a label, each label that the image has being as likely.
        foreground: int (n, 4), rows of label value, I, J, K; may be empty.
    """
    room = np.subtract(shape, size)
    if rng.random() < foreground_share and len(foreground):
        value = rng.choice(np.unique(foreground[:, 0]))
        places = foreground[foreground[:, 0] == value, 1:]
        wanted = places[rng.integers(len(places))] - np.asarray(size) // 2
    else:
        wanted = rng.integers(0, np.maximum(room, 0) + 1)
    start = np.where(room >= 0, np.clip(wanted, 0, np.maximum(room, 0)), -(-room // 2))
    return int(start[0]), int(start[1]), int(start[2])


def cut_out(array: torch.Tensor, start: tuple[int, int, int], size: tuple[int, int, int]) -> torch.Tensor:
    """A patch of an array (C, I, J, K) as a new array; 0 beyond the array."""
    inner = [slice(max(s, 0), max(min(s + n, have), 0)) for s, n, have in zip(start, size, array.shape[1:], strict=True)]
    outer = [slice(part.start - s, max(part.stop, part.start) - s) for part, s in zip(inner, start, strict=True)]
    patch = array.new_zeros((array.shape[0], *size))
    patch[(slice(None), *outer)] = array[(slice(None), *inner)]
    return patch
