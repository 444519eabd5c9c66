"""Images seen another way, and the way back for what the network answers: mirrored, moved a little, in other intensities.

Every view maps (C, I, J, K) onto the same grid, so that a window and a frame fit as they do without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Mirror:
    """Mirrored along some axes of the grid; its own inverse, exactly."""

    axes: tuple[int, ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        return image.flip([axis + 1 for axis in self.axes])

    def invert(self, answer: torch.Tensor) -> torch.Tensor:
        return self.apply(answer)


@dataclass(frozen=True)
class Motion:
    """Turned, scaled and moved about the middle of the grid, in mm, with linear interpolation and the border repeated.

    Attributes:
        degrees: about the grid's axes, one after the other.
        scale: sizes of what is seen, 1: as it is.
        shift_mm: along the grid's axes.
        spacing_mm: of the grid.
    """

    degrees: tuple[float, float, float]
    scale: float
    shift_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]

    @property
    def matrix(self) -> torch.Tensor:
        """Position in the view to position in the image, both in mm from the middle; float64 (4, 4)."""
        turn = torch.eye(3, dtype=torch.float64)
        for axis, angle in enumerate(map(math.radians, self.degrees)):
            first, second = (other for other in range(3) if other != axis)
            one = torch.eye(3, dtype=torch.float64)
            one[first, first] = one[second, second] = math.cos(angle)
            one[first, second], one[second, first] = -math.sin(angle), math.sin(angle)
            turn = one @ turn
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[:3, :3] = turn / self.scale
        matrix[:3, 3] = torch.tensor(self.shift_mm, dtype=torch.float64)
        return matrix

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        return _sampled(image, self.matrix, self.spacing_mm)

    def invert(self, answer: torch.Tensor) -> torch.Tensor:
        return _sampled(answer, torch.linalg.inv(self.matrix), self.spacing_mm)


@dataclass(frozen=True)
class Intensity:
    """Other brightness, contrast and noise of normalised intensities; where things are does not change."""

    factor: float
    shift: float
    noise: float
    seed: int

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(image.shape, generator=generator) * self.noise
        return image * self.factor + self.shift + noise.to(image)

    def invert(self, answer: torch.Tensor) -> torch.Tensor:
        return answer


View = Mirror | Motion | Intensity


def _sampled(values: torch.Tensor, matrix: torch.Tensor, spacing_mm: tuple[float, float, float]) -> torch.Tensor:
    """Values (C, I, J, K) at `matrix` times each voxel's position in mm from the middle."""
    sides = torch.tensor(spacing_mm, dtype=torch.float64) * torch.tensor(values.shape[1:], dtype=torch.float64)
    # PyTorch counts from -1 to 1 between the outer faces of the grid, its axes in reverse order.
    to_mm = torch.diag(torch.cat([sides / 2, torch.ones(1, dtype=torch.float64)]))
    theta = torch.linalg.inv(to_mm) @ matrix @ to_mm
    theta = theta[:3].flip(0)
    theta = torch.cat([theta[:, :3].flip(1), theta[:, 3:]], 1)
    grid = nn.functional.affine_grid(theta[None].float(), [1, *values.shape], align_corners=False)
    return nn.functional.grid_sample(values[None].float(), grid, padding_mode="border", align_corners=False)[0].to(values.dtype)
