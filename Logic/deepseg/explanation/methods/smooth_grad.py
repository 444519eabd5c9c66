"""The gradient, averaged over copies of the image with noise (Smilkov et al. 2017, arXiv:1706.03825)."""

from __future__ import annotations

import torch

from deepseg.explanation.methods.method import Asked, Method

_NOISE = 0.1
"""Deviation of the noise as a share of the image's range, channel by channel."""


class SmoothGrad(Method):
    title, needs_layer, passes = "SmoothGrad", False, 16

    def attribute(self, asked: Asked) -> torch.Tensor:
        generator, total = torch.Generator().manual_seed(asked.seed), torch.zeros(asked.image.shape[1:])
        flat = asked.image.flatten(1)
        width = _NOISE * (flat.amax(1) - flat.amin(1))[:, None, None, None]
        for _ in range(self.passes):
            total += asked.passes.gradient(asked.image + width * torch.randn(asked.image.shape, generator=generator))[1].sum(0)
        return total / self.passes
