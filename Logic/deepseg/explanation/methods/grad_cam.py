"""A layer's channels, each weighed by what it adds to the number on average (Selvaraju et al. 2017, arXiv:1610.02391; for segments Vinogradova
et al. 2020, arXiv:2002.11434). Without the cut at zero, so that what speaks against is seen, too.
"""

from __future__ import annotations

import torch

from deepseg.explanation.layers import LayerMap
from deepseg.explanation.methods.method import Asked, Method


class GradCam(Method):
    title, needs_layer, passes = "Grad-CAM", True, 1

    def attribute(self, asked: Asked) -> torch.Tensor:
        found = LayerMap.of(asked.passes, asked.image, asked.layer)
        return found.on_image((found.mean_gradients * found.activations).sum(0))
