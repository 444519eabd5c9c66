"""What a sampler is, and what it asks of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from deepseg.spec import ModelSpec
from deepseg.uncertainty.views import View


@dataclass(frozen=True)
class Pass:
    """One pass of the network over the whole image.

    Attributes:
        member: which of the model's networks; None for all of them, averaged.
        views: what is done to the image before, and undone afterwards in reverse order.
        dropout_seed: where given, the network's dropout is at work.
        coarser_heads: the answers of the heads that deep supervision trained are samples, too.
        noise_seed: where given, the noise that the network learnt to expect in its logits is averaged out.
    """

    member: int | None = None
    views: tuple[View, ...] = ()
    dropout_seed: int | None = None
    coarser_heads: bool = False
    noise_seed: int | None = None


class Sampler(Protocol):
    """A way of drawing samples.

    Attributes:
        title: for people.
        samples: how many are drawn where nobody says.
    """

    title: str
    samples: int

    def refuse_unfit(self, spec: ModelSpec, network: nn.Module, samples: int) -> None:
        """Refuse a model or a number of samples that this sampler cannot work with.

        Raises:
            UncertaintyError: which says why, and what to choose instead.
        """

    def passes(self, spec: ModelSpec, samples: int, seed: int, spacing_mm: Sequence[float]) -> list[Pass]:
        """The passes for so many samples; `spacing_mm` is that of the model's grid."""
