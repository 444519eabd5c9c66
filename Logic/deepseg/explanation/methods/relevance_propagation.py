"""Layer-wise relevance propagation: the number is handed back layer by layer until it lies on the image's voxels."""

from __future__ import annotations

from contextlib import ExitStack

import torch

from deepseg.explanation.methods.method import Asked, Method
from deepseg.explanation.relevance_rules import relevance_rules


class RelevancePropagation(Method):
    title, needs_layer, passes = "Layer-wise relevance propagation", False, 1

    def attribute(self, asked: Asked) -> torch.Tensor:
        with ExitStack() as rules:
            for member in asked.passes.network.members:
                rules.enter_context(relevance_rules(member))
            return (asked.passes.gradient(asked.image)[1] * asked.image).sum(0)
