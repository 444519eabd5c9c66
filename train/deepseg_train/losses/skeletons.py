"""Soft skeletons (Shit et al. 2021, arXiv:2003.07311, algorithm 1).

As MONAI's `soft_skel`, but with the extremes of neighbours found axis by axis from whole slices instead of by pooling, and each erosion made once:
on a processor its pooling takes longer than the step of a network.
"""

from __future__ import annotations

import torch


def soft_skeleton(image: torch.Tensor, iterations: int) -> torch.Tensor:
    """What is left of numbers in [0, 1], (N, F, I, J, K), where they are eroded so many times: at each, what an opening would take away."""
    eroded = _erode(image)
    skeleton = torch.relu(image - _dilate(eroded))
    for _ in range(iterations):
        image, eroded = eroded, _erode(eroded)
        lost = torch.relu(image - _dilate(eroded))
        skeleton = skeleton + torch.relu(lost - skeleton * lost)
    return skeleton


def _erode(image: torch.Tensor) -> torch.Tensor:
    """Smallest of a voxel and its six neighbours."""
    negative = -image
    i, j, k = (_largest_beside(negative, axis) for axis in (2, 3, 4))
    return -_larger(_larger(i, j), k)


def _dilate(image: torch.Tensor) -> torch.Tensor:
    """Largest of a voxel and its 26 neighbours."""
    for axis in (2, 3, 4):
        image = _largest_beside(image, axis)
    return image


def _largest_beside(image: torch.Tensor, axis: int) -> torch.Tensor:
    """Largest of a voxel and the two beside it along an axis; at the image's ends of the one beside it."""
    size = image.shape[axis]
    if size == 1:
        return image
    pairs = _larger(image.narrow(axis, 0, size - 1), image.narrow(axis, 1, size - 1))
    inner = _larger(pairs.narrow(axis, 0, size - 2), pairs.narrow(axis, 1, size - 2))
    return torch.cat([pairs.narrow(axis, 0, 1), inner, pairs.narrow(axis, size - 2, 1)], axis)


def _larger(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """As `torch.maximum`, whose slope takes several times as long on a processor, for it looks for what is equal."""
    return a + torch.relu(b - a)
