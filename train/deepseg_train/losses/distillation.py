"""The loss of a student that learns from a teacher's probabilities."""

from __future__ import annotations

import torch
from torch import nn

from deepseg_train.losses.voxel_loss import Answer


class DistillationLoss(nn.Module):
    """Kullback-Leibler divergence from the teacher to the student at a temperature (Hinton et al. 2015, arXiv:1503.02531); 0 where they agree.

    Up to what only the teacher tells it is linear in the teacher's probabilities.

    `forward(logits, teacher)`: float logits (N, L, I, J, K) of the student, and the teacher's probabilities of that shape, which are those of its
    logits divided by the temperature.
    """

    def __init__(self, overlapping: bool = False, temperature: float = 1.0) -> None:
        """`overlapping`: each channel is a label against its absence."""
        super().__init__()
        self.overlapping, self.temperature = overlapping, temperature

    def forward(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        teacher, student = teacher.to(logits), Answer(logits / self.temperature, self.overlapping)
        # Slopes at a temperature are smaller by its square.
        return self.temperature**2 * _divergence(teacher, student)


def _divergence(teacher: torch.Tensor, student: Answer) -> torch.Tensor:
    """Mean over voxels of the divergence in nats; of labels that may overlap mean over channels as well."""
    if student.overlapping:
        entropy = torch.special.entr(teacher) + torch.special.entr(1 - teacher)
        return nn.functional.binary_cross_entropy_with_logits(student.logits, teacher) - entropy.mean()
    return (torch.special.entr(teacher) + teacher * student.log_probabilities).sum(1).mean().neg()
