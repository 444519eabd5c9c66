"""What is to be explained, as one number that the network's logits give."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Question:
    """A number of a part of the image: how much a label leads there, how much it leads over another, or how much the network doubts.

    Attributes:
        where: float32 (I, J, K) on the model's grid, not negative, with the sum 1: how much each voxel counts.
        channels: how many the network has.
        overlapping: each channel is a label against its absence (sigmoid), not one of exclusive classes (softmax).
        channel: that of the label asked about; None: of the doubt, the entropy of the class in nats.
        other: that of the label it is held against; None: all others.
    """

    where: torch.Tensor
    channels: int
    overlapping: bool
    channel: int | None = None
    other: int | None = None

    @property
    def linear(self) -> bool:
        """Whether the number is linear in the logits, so that windows can be asked one by one."""
        return self.channel is not None

    @property
    def weights(self) -> torch.Tensor:
        """Float32 (L,): what each logit adds to a linear number. The label's minus the other's, or minus the mean of all others."""
        weights = torch.zeros(self.channels)
        if self.other is not None:
            weights[self.other] = -1.0
        elif not self.overlapping:
            weights -= 1 / (self.channels - 1)
        weights[self.channel] = 1.0
        return weights

    def number(self, logits: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        """Of logits (L, i, j, k) and the part of `self.where` (i, j, k) they lie at."""
        values = torch.einsum("l,lijk->ijk", self.weights.to(logits), logits) if self.linear else _entropy(logits, self.overlapping)
        return (where * values).sum()

    def certainty(self, logits: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        """The same between 0 and 1 for labels: mean softmax (or sigmoid), of two labels if one is held against the other; the doubt as it is."""
        if not self.linear:
            return self.number(logits, where)
        if self.other is not None:
            values = torch.sigmoid(logits[self.channel] - logits[self.other])
        else:
            values = torch.sigmoid(logits[self.channel]) if self.overlapping else torch.softmax(logits, 0)[self.channel]
        return (where * values).sum()


def _entropy(logits: torch.Tensor, overlapping: bool) -> torch.Tensor:
    if overlapping:
        p = torch.sigmoid(logits)
        return (p * torch.nn.functional.softplus(-logits) + (1 - p) * torch.nn.functional.softplus(logits)).sum(0)
    logs = torch.log_softmax(logits, 0)
    return -(logs.exp() * logs).sum(0)
