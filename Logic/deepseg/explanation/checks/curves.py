"""Deletion and insertion (Petsiuk et al. 2018, arXiv:1806.07421): what a map says matters most is blurred away first, or comes back first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg.explanation.blurring import blurred
from deepseg.explanation.passes import Passes

SHARES = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
"""Of the voxels; close together where a good map acts."""


@dataclass(frozen=True)
class Curves:
    """The certainty at each of `SHARES`.

    Attributes:
        deletion: with so many voxels blurred away, those first that matter most.
        insertion: with so many voxels of the image in a blurred one.
    """

    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def deletion_area(self) -> float:
        """Area under the curve over the logarithm of the share; small is good."""
        return _area(self.deletion)

    @property
    def insertion_area(self) -> float:
        """The same; large is good."""
        return _area(self.insertion)


class Revealing:
    """One image (C, I, J, K) of which parts are blurred away, or brought back, in the order that maps tell."""

    def __init__(self, passes: Passes, image: torch.Tensor) -> None:
        self._passes, self._image, self._hidden = passes, image, blurred(image, passes.network.spec)
        self._whole, self._nothing = (passes.certainty(one) for one in (self._image, self._hidden))

    def curves(self, values: torch.Tensor) -> Curves:
        """By a map (I, J, K); what is largest comes first."""
        order = torch.argsort(values.flatten(), descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        rank = rank.reshape(values.shape)
        deletion, insertion = [self._whole], [self._nothing]
        for share in SHARES[1:-1]:
            chosen = rank < round(share * rank.numel())
            deletion.append(self._passes.certainty(torch.where(chosen, self._hidden, self._image)))
            insertion.append(self._passes.certainty(torch.where(chosen, self._image, self._hidden)))
        return Curves((*deletion, self._nothing), (*insertion, self._whole))


def edges(image: torch.Tensor) -> torch.Tensor:
    """Strength of edges (I, J, K) of an image (C, I, J, K): what a map must beat to say more than the image itself."""
    slopes = torch.gradient(image, dim=(1, 2, 3)) if min(image.shape[1:]) > 1 else [torch.zeros_like(image)]
    return sum(slope.square() for slope in slopes).sum(0).sqrt()


def noise(image: torch.Tensor, seed: int) -> torch.Tensor:
    """A map (I, J, K) that knows nothing."""
    return torch.rand(image.shape[1:], generator=torch.Generator().manual_seed(seed))


def _area(heights: tuple[float, ...]) -> float:
    at = np.log(np.maximum(SHARES, SHARES[1] / 2))
    return float(np.trapezoid(heights, at) / (at[-1] - at[0]))
