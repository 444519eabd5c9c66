"""One pass of a network that learnt how noisy its logits are; the noise is averaged out (Kendall and Gal 2017, arXiv:1703.04977).

The doubt found this way lies in the image, so the answer is one sample, all of whose entropy is aleatoric.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from deepseg.errors import UncertaintyError
from deepseg.spec import ModelSpec
from deepseg.uncertainty.samplers.passes import Pass


class LearnedVariance:
    title, samples = "learned variance of the logits", 1

    def refuse_unfit(self, spec: ModelSpec, network: nn.Module, samples: int) -> None:
        if spread_block(network) is None:
            raise UncertaintyError(f"The network of the model {spec.id} did not learn a variance of its logits. Choose another sampler.")
        if samples != 1:
            raise UncertaintyError(f"The learned variance gives one sample, not {samples}. Ask for 1, or choose another sampler.")

    def passes(self, spec: ModelSpec, samples: int, seed: int, spacing_mm: Sequence[float]) -> list[Pass]:
        return [Pass(noise_seed=seed)]


def spread_block(network: nn.Module) -> nn.Module | None:
    """The module whose output tells the deviations of the logits; None where there is none."""
    return getattr(network, "spread_block", None)
