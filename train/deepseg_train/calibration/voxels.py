"""Voxels to fit on: few of the many that are beyond doubt, weighted so that they stand for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

_DECIDED = 0.999
KEPT = (30_000, 5_000)
"""At most, of each case: voxels in doubt, and voxels beyond doubt."""


@dataclass(frozen=True, eq=False)
class Voxels:
    """Answers and truth at single voxels.

    Attributes:
        probabilities: float32 (L, N).
        target: bool (L, N), which channels are true; background is channel 0 of exclusive classes.
        weights: float32 (N), how many voxels of an image each stands for.
    """

    probabilities: torch.Tensor
    target: torch.Tensor
    weights: torch.Tensor

    @staticmethod
    def of_case(probabilities: np.ndarray, target: np.ndarray, seed: int, kept: tuple[int, int] = KEPT) -> Voxels:
        """Of one case's float32 (L, I, J, K) and bool (L, I, J, K), at most `kept` in doubt and beyond it."""
        flat, truth = torch.from_numpy(probabilities).flatten(1), torch.from_numpy(target).flatten(1)
        decided = (torch.maximum(flat, 1 - flat) > _DECIDED).all(0).numpy()
        rng, chosen, weights = np.random.default_rng(seed), [], []
        for group, most in zip((np.flatnonzero(~decided), np.flatnonzero(decided)), kept, strict=True):
            drawn = rng.choice(group, min(most, len(group)), replace=False)
            chosen.append(drawn)
            weights.append(np.full(len(drawn), len(group) / max(len(drawn), 1), np.float32))
        where = torch.from_numpy(np.concatenate(chosen))
        return Voxels(flat[:, where], truth[:, where], torch.from_numpy(np.concatenate(weights)))

    @staticmethod
    def together(parts: Sequence[Voxels]) -> Voxels:
        """Of several cases."""
        return Voxels(
            torch.cat([part.probabilities for part in parts], 1),
            torch.cat([part.target for part in parts], 1),
            torch.cat([part.weights for part in parts]),
        )
