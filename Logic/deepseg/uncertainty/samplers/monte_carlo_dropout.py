"""Passes with the dropout of the training at work (Gal and Ghahramani 2016, arXiv:1506.02142)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from deepseg.errors import UncertaintyError
from deepseg.spec import ModelSpec
from deepseg.uncertainty.samplers.passes import Pass

DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class MonteCarloDropout:
    title, samples = "Monte Carlo dropout", 10

    def refuse_unfit(self, spec: ModelSpec, network: nn.Module, samples: int) -> None:
        if not any(isinstance(part, DROPOUT) and part.p > 0 for part in network.modules()):
            raise UncertaintyError(f"The network of the model {spec.id} was trained without dropout. Choose another sampler.")
        if samples < 2:
            raise UncertaintyError(f"{samples} samples were asked for; dropout needs at least 2.")

    def passes(self, spec: ModelSpec, samples: int, seed: int, spacing_mm: Sequence[float]) -> list[Pass]:
        # Passes of two neighbouring seeds share nothing.
        return [Pass(dropout_seed=seed * 10_000 + n) for n in range(samples)]
