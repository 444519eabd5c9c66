"""Linear operators along the axes: smoothing, coarse sampling, splines and what happens to lines of k-space are each a small matrix an axis."""

from __future__ import annotations

import torch


def along_axes(array: torch.Tensor, *matrices: torch.Tensor) -> torch.Tensor:
    """Multiply the last three axes (I, J, K) of an array by a matrix each: (..., I, J, K) to (..., I', J', K').

    Args:
        array: float32.
        *matrices: float32 (I', I), (J', J) and (K', K).
    """
    for axis, matrix in enumerate(matrices):
        array = along_axis(array, matrix, axis)
    return array


def along_axis(array: torch.Tensor, matrix: torch.Tensor, axis: int) -> torch.Tensor:
    """Multiply one of the last three axes, 0 for I to 2 for K, by a matrix (to, from)."""
    if axis == 2:
        return array @ matrix.T
    if axis == 1:
        return matrix @ array
    flat = matrix @ array.reshape(*array.shape[:-2], -1)
    return flat.reshape(*flat.shape[:-1], *array.shape[-2:])
