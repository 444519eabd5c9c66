"""Grad-CAM whose weights count places by how much each of them alone could do (Chattopadhay et al. 2018, arXiv:1710.11063, equation 19)."""

from __future__ import annotations

import torch

from deepseg.explanation.layers import LayerMap
from deepseg.explanation.methods.method import Asked, Method


class GradCamPlusPlus(Method):
    title, needs_layer, passes = "Grad-CAM++", True, 1

    def attribute(self, asked: Asked) -> torch.Tensor:
        found = LayerMap.of(asked.passes, asked.image, asked.layer)
        slope, active = found.gradients, found.activations
        below = 2 * slope**2 + active.sum((1, 2, 3), keepdim=True) * slope**3
        share = torch.where(below != 0, slope**2 / below, 0)
        weights = (share * slope.clamp_min(0)).sum((1, 2, 3), keepdim=True)
        return found.on_image((weights * active).sum(0))
