"""The model's answer alone: its entropy is all aleatoric, nothing tells of the model's own doubt."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from deepseg.errors import UncertaintyError
from deepseg.spec import ModelSpec
from deepseg.uncertainty.samplers.passes import Pass


class SinglePass:
    title, samples = "single pass", 1

    def refuse_unfit(self, spec: ModelSpec, network: nn.Module, samples: int) -> None:
        if samples != 1:
            raise UncertaintyError(f"A single pass gives one sample, not {samples}. Ask for 1, or choose another sampler.")

    def passes(self, spec: ModelSpec, samples: int, seed: int, spacing_mm: Sequence[float]) -> list[Pass]:
        return [Pass()]
