"""The answers of the coarser heads that deep supervision trained beside the last one: more samples from one pass, for next to nothing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from deepseg.errors import UncertaintyError
from deepseg.spec import ModelSpec
from deepseg.uncertainty.samplers.passes import Pass


class DeepSupervision:
    title, samples = "agreement of the heads of deep supervision", 0
    """`samples` 0: all heads."""

    def refuse_unfit(self, spec: ModelSpec, network: nn.Module, samples: int) -> None:
        heads = len(coarser_heads(network))
        if not heads:
            raise UncertaintyError(f"The network of the model {spec.id} has no heads of deep supervision. Choose another sampler.")
        if samples not in (0, heads + 1):
            raise UncertaintyError(f"{samples} samples were asked for; the network of the model {spec.id} has {heads + 1} heads. Ask for that or 0.")

    def passes(self, spec: ModelSpec, samples: int, seed: int, spacing_mm: Sequence[float]) -> list[Pass]:
        return [Pass(coarser_heads=True)]


def coarser_heads(network: nn.Module) -> list[nn.Module]:
    """Modules whose outputs are logits at lower resolutions, all of which a pass computes; empty where there are none."""
    return list(getattr(network, "deep_supervision_heads", []))
