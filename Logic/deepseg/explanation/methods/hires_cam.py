"""A layer's channels, each weighed place by place by what it adds to the number there (Draelos and Carin 2020, arXiv:2011.08891)."""

from __future__ import annotations

import torch

from deepseg.explanation.layers import LayerMap
from deepseg.explanation.methods.method import Asked, Method


class HiResCam(Method):
    title, needs_layer, passes = "HiRes-CAM", True, 1

    def attribute(self, asked: Asked) -> torch.Tensor:
        found = LayerMap.of(asked.passes, asked.image, asked.layer)
        return found.on_image((found.gradients * found.activations).sum(0))
