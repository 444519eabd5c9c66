"""What every loss of voxels is: an answer against a reference, each seen in the ways that losses need, computed once for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar

import torch
from torch import nn

from deepseg_train.losses.distances import signed_distances
from deepseg_train.losses.overlap import volumes_of
from deepseg_train.losses.skeletons import soft_skeleton

Spacing = tuple[float, float, float]


class Answer:
    """What a network says of a batch.

    Attributes:
        logits: float (N, L, I, J, K); label 0 is the background.
    """

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits

    @cached_property
    def log_probabilities(self) -> torch.Tensor:
        """(N, L, I, J, K), background included."""
        return self.logits.log_softmax(1)

    @cached_property
    def probabilities(self) -> torch.Tensor:
        """(N, L, I, J, K), background included."""
        return self.log_probabilities.exp()

    @cached_property
    def foreground(self) -> torch.Tensor:
        """Probabilities (N, F, I, J, K) of all labels but the background."""
        return self.log_probabilities[:, 1:].exp()

    def log_likelihood(self, reference: Reference) -> torch.Tensor:
        """Log-probability that each voxel's reference is given, (N, 1, I, J, K)."""
        return self.log_probabilities.gather(1, reference.target)


class Reference:
    """What is true of a batch. Shared between a network's heads, so that nothing of it is computed twice.

    Attributes:
        target: int64 (N, 1, I, J, K).
        spacing_mm: voxel size along I, J, K.
    """

    def __init__(self, target: torch.Tensor, logits: torch.Tensor, spacing_mm: Spacing) -> None:
        """`logits`: any head's, (N, L, I, J, K); tells the number of channels and the number type.

        Raises:
            ValueError: the target does not have the shape that belongs to the logits.
        """
        expected = (logits.shape[0], 1, *logits.shape[2:])
        if tuple(target.shape) != expected:
            raise ValueError(f"The target is {tuple(target.shape)}; logits of {tuple(logits.shape)} need one of {expected}.")
        self.target, self.spacing_mm = target, spacing_mm
        self._channels, self._dtype = logits.shape[1], logits.dtype
        self._skeletons: dict[int, torch.Tensor] = {}

    @cached_property
    def one_hot(self) -> torch.Tensor:
        """0 or 1 (N, L, I, J, K), background included, in the number type of the logits."""
        shape = (len(self.target), self._channels, *self.target.shape[2:])
        return torch.zeros(shape, dtype=self._dtype, device=self.target.device).scatter_(1, self.target, 1.0)

    @cached_property
    def masks(self) -> torch.Tensor:
        """0 or 1 (N, F, I, J, K): all labels but the background."""
        return self.one_hot[:, 1:]

    @cached_property
    def volumes(self) -> torch.Tensor:
        """Voxels of each label but the background in the whole batch, (F,)."""
        return volumes_of(self.masks)

    @cached_property
    def distances(self) -> torch.Tensor:
        """Signed distances in mm of `masks`, (N, F, I, J, K): negative inside; 0 where an image lacks the label or holds nothing else."""
        return signed_distances(self.masks, self.spacing_mm)

    def skeletons(self, iterations: int) -> torch.Tensor:
        """Soft skeletons of `masks`, (N, F, I, J, K), after so many erosions (Shit et al. 2021, arXiv:2003.07311)."""
        if iterations not in self._skeletons:
            self._skeletons[iterations] = soft_skeleton(self.masks, iterations)
        return self._skeletons[iterations]


class VoxelLoss(nn.Module, ABC):
    """A loss `forward(logits, target)`: float logits (N, L, I, J, K) and a target as in `Reference`, to a scalar.

    A subclass says in `of` how; its keyword arguments are the settings that a config may give.
    """

    may_be_negative: ClassVar[bool] = False

    def __init__(self, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`spacing_mm`: voxel size along I, J, K."""
        super().__init__()
        self.spacing_mm = spacing_mm

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.of(Answer(logits), Reference(target, logits, self.spacing_mm))

    @abstractmethod
    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        """The loss, a scalar."""
