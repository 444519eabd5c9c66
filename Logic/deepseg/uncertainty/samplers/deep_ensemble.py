"""Networks trained from different seeds (Lakshminarayanan et al. 2017, arXiv:1612.01474), or on different folds."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from deepseg.errors import UncertaintyError
from deepseg.spec import ModelSpec
from deepseg.uncertainty.samplers.passes import Pass


class DeepEnsemble:
    title, samples = "deep ensemble", 0
    """`samples` 0: all members."""

    def refuse_unfit(self, spec: ModelSpec, network: nn.Module, samples: int) -> None:
        members = len(spec.weights)
        if members < 2:
            raise UncertaintyError(f"The model {spec.id} has one network; an ensemble needs at least two. Choose another sampler.")
        if samples == 1 or samples > members:
            raise UncertaintyError(f"{samples} members of the model {spec.id} were asked for; expected 2 to {members}, or 0 for all of them.")

    def passes(self, spec: ModelSpec, samples: int, seed: int, spacing_mm: Sequence[float]) -> list[Pass]:
        return [Pass(member=member) for member in range(samples or len(spec.weights))]
