"""Answers small enough to work out by hand."""

from collections.abc import Callable, Sequence

import pytest
import torch


@pytest.fixture(scope="session")
def logits_of() -> Callable[[Sequence[float]], torch.Tensor]:
    """Logits (1, 2, V, 1, 1) of voxels in a row along I with these probabilities of label 1."""

    def logits(probabilities: Sequence[float]) -> torch.Tensor:
        of_label = torch.tensor(probabilities)
        return torch.stack([1 - of_label, of_label]).log().reshape(1, 2, -1, 1, 1)

    return logits


@pytest.fixture(scope="session")
def row() -> Callable[[Sequence[int]], torch.Tensor]:
    """A target (1, 1, V, 1, 1) of voxels in a row along I."""
    return lambda labels: torch.tensor(labels).reshape(1, 1, -1, 1, 1)


@pytest.fixture
def some_logits() -> torch.Tensor:
    """Of two images and three channels, (2, 3, 7, 6, 5)."""
    return 2 * torch.randn((2, 3, 7, 6, 5), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def some_target() -> torch.Tensor:
    """Three labels in lumps, (2, 1, 7, 6, 5); the second image lacks label 2."""
    target = torch.zeros((2, 1, 7, 6, 5), dtype=torch.int64)
    target[0, 0, 1:4, 1:5, 1:4] = 1
    target[0, 0, 4:6, 2:5, 0:3] = 2
    target[1, 0, 2:6, 0:3, 2:5] = 1
    return target
