"""The loss of a student that learns from a teacher's probabilities."""

from __future__ import annotations

import torch
from torch import nn


class DistillationLoss(nn.Module):
    """Kullback-Leibler divergence from the teacher to the student at a temperature, in nats, mean over voxels (Hinton et al. 2015,
    arXiv:1503.02531); 0 where they agree.

    Up to what only the teacher tells it is linear in the teacher's probabilities.

    `forward(logits, teacher)`: float logits (N, L, I, J, K) of the student, and the teacher's probabilities of that shape, which are those of its
    logits divided by the temperature.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        teacher, student = teacher.to(logits), (logits / self.temperature).log_softmax(1)
        divergence = (torch.special.entr(teacher) + teacher * student).sum(1).mean().neg()
        # Slopes at a temperature are smaller by its square.
        return self.temperature**2 * divergence
