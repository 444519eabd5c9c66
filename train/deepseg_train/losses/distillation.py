"""The loss of a student that learns from a teacher's probabilities."""

from __future__ import annotations

import torch
from torch import nn

from deepseg_train.losses.overlap import dice, volumes_of
from deepseg_train.losses.voxel_loss import Answer


class DistillationLoss(nn.Module):
    """Kullback-Leibler divergence from the teacher to the student at a temperature (Hinton et al. 2015, arXiv:1503.02531), plus Dice to soft labels.

    `forward(logits, teacher)`: float logits (N, L, I, J, K) of the student, and the teacher's probabilities of that shape, which are those of its
    logits divided by the temperature. Both parts are 0 where student and teacher agree.
    """

    def __init__(self, overlapping: bool = False, temperature: float = 1.0, dice_weight: float = 1.0) -> None:
        """`overlapping`: each channel is a label against its absence; `dice_weight`: of the Dice part, the other part counts once."""
        super().__init__()
        self.overlapping, self.temperature, self.dice_weight = overlapping, temperature, dice_weight

    def forward(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        teacher = teacher.to(logits)
        student = Answer(logits / self.temperature, self.overlapping)
        # Slopes at a temperature are smaller by its square.
        divergence = self.temperature**2 * _divergence(teacher, student)
        if not self.dice_weight:
            return divergence
        return divergence + self.dice_weight * soft_dice_loss(student.foreground, teacher if self.overlapping else teacher[:, 1:])


def soft_dice_loss(probabilities: torch.Tensor, soft_labels: torch.Tensor) -> torch.Tensor:
    """1 - Dice of two fuzzy sets (N, F, I, J, K), over the whole batch, mean over labels. What both say of a voxel is the smaller of the two, not
    their product: else even equal ones would have a loss, least where the student says 0 or 1 (Wang et al. 2023, arXiv:2303.16296).
    """
    intersections = volumes_of(torch.minimum(probabilities, soft_labels))
    return 1 - dice(intersections, volumes_of(probabilities), volumes_of(soft_labels)).mean()


def _divergence(teacher: torch.Tensor, student: Answer) -> torch.Tensor:
    """Mean over voxels of the divergence in nats; of labels that may overlap mean over channels as well."""
    if student.overlapping:
        entropy = torch.special.entr(teacher) + torch.special.entr(1 - teacher)
        return nn.functional.binary_cross_entropy_with_logits(student.logits, teacher) - entropy.mean()
    return (torch.special.entr(teacher) + teacher * student.log_probabilities).sum(1).mean().neg()
