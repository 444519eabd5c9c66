"""What a method of explanation is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from deepseg.explanation.passes import Passes


@dataclass(frozen=True, eq=False)
class Asked:
    """What a method gets.

    Attributes:
        passes: the model and the question.
        image: float32 (C, I, J, K) on the model's grid, as the network sees it.
        layer: name of the module to look at, for methods that need one.
        seed: of whatever is drawn.
    """

    passes: Passes
    image: torch.Tensor
    layer: str | None = None
    seed: int = 0


class Method(Protocol):
    """A way to say what in the image made the question's number what it is.

    Attributes:
        title: for people.
        needs_layer: whether it looks at one of the network's layers.
        passes: how often each window goes through the network.
    """

    title: str
    needs_layer: bool
    passes: int

    def passes_over(self, shape: tuple[int, int, int]) -> int:
        """The same where it depends on the image's shape (I, J, K); for the progress bar."""
        return self.passes

    def refuse_unfit(self, network: nn.Module) -> None:
        """Refuse a network that this method cannot look into; the usual one suits all.

        Raises:
            ExplanationError: says why, and what to choose instead.
        """

    def attribute(self, asked: Asked) -> torch.Tensor:
        """Float32 (I, J, K) on the model's grid: raw, and negative where something speaks against."""
