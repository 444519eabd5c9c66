"""The gradient times the image (Shrikumar et al. 2016, arXiv:1605.01713): what each voxel adds to the number as far as the network is linear."""

from __future__ import annotations

import torch

from deepseg.explanation.methods.method import Asked, Method


class GradientTimesInput(Method):
    title, needs_layer, passes = "Gradient x input", False, 1

    def attribute(self, asked: Asked) -> torch.Tensor:
        return (asked.passes.gradient(asked.image)[1] * asked.image).sum(0)
