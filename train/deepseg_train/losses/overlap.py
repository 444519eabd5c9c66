"""Measures of overlap, over the whole batch: a patch without a label then gives no jumps."""

from __future__ import annotations

import torch
from torch import distributed

SMOOTHING = 1e-5
"""Added above and below, in voxels, so that a label that is neither there nor predicted counts as right."""


def dice(intersections: torch.Tensor, predicted: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Soft Dice of each label from volumes in voxels, each (F,)."""
    return (2 * intersections + SMOOTHING) / (predicted + true + SMOOTHING)


def volumes_of(probabilities: torch.Tensor) -> torch.Tensor:
    """Voxels of each channel in the whole batch, (F,), of probabilities (N, F, I, J, K)."""
    return of_all_processes(probabilities.sum((0, 2, 3, 4)))


def of_all_processes(sums: torch.Tensor) -> torch.Tensor:
    """Sums over the batches of all processes that train together: a ratio of sums is not the mean of the processes' ratios."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return sums
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(sums)
