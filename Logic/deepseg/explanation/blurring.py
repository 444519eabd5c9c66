"""An image from which details are gone: what methods and checks put in place of what they take away."""

from __future__ import annotations

import math

import torch
from torch import nn

from deepseg.spec import ModelSpec

SIGMA_MM = 6.0
"""Wider than the structures that a model outlines by their borders."""


def blurred(image: torch.Tensor, spec: ModelSpec, sigma_mm: float = SIGMA_MM) -> torch.Tensor:
    """An image (C, I, J, K) on the model's grid, through a Gaussian; the border is repeated. Slices of a 2D network are blurred each for itself."""
    result = image[:, None]
    for axis, spacing in enumerate(spec.spacing_mm):
        sigma = sigma_mm / (spacing or 1.0)
        if axis == spec.window.slice_axis or image.shape[axis + 1] == 1:
            continue
        radius = math.ceil(3 * sigma)
        at = torch.arange(-radius, radius + 1, dtype=torch.float32)
        line = torch.exp(-(at**2) / (2 * sigma**2))
        shape, amounts = [1, 1, 1, 1, 1], [0] * 6
        shape[axis + 2] = len(line)
        amounts[4 - 2 * axis] = amounts[5 - 2 * axis] = radius
        result = nn.functional.conv3d(nn.functional.pad(result, amounts, mode="replicate"), (line / line.sum()).reshape(shape))
    return result[:, 0]
