"""A weighted sum of losses, as a config says it."""

from __future__ import annotations

import torch
from torch import nn

from deepseg_train.losses.multi_task import LearnedWeights
from deepseg_train.losses.settings import LossSettings
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss


class CombinedLoss(VoxelLoss):
    """The sum of a config's terms, each times its weight. They share what they need of logits and target.

    Attributes:
        learned: the learned weights, None where they are fixed.
    """

    def __init__(self, loss: LossSettings, *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        super().__init__(spacing_mm=spacing_mm)
        self._terms = loss.terms
        self._losses = nn.ModuleList(term.build(spacing_mm) for term in loss.terms)
        self.learned = LearnedWeights([term.name for term in loss.terms]) if loss.weighting == "learned" else None
        self.at_epoch(0)

    def at_epoch(self, epoch: int) -> None:
        """Sets the weights of terms that are phased in; the first epoch is 0. Nothing else decides them, so a resumed run needs no state."""
        self.weights = [term.weight * min(epoch / term.warm_in_epochs, 1.0) if term.warm_in_epochs else term.weight for term in self._terms]

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        # A term without weight is not computed: some cost more than the network's own step.
        there = [(term.name, loss, weight) for term, loss, weight in zip(self._terms, self._losses, self.weights, strict=True) if weight > 0]
        losses = {name: loss.of(answer, reference) for name, loss, _ in there}
        if self.learned is not None:
            losses = self.learned(losses)
        return torch.stack([weight * losses[name] for name, _, weight in there]).sum()
