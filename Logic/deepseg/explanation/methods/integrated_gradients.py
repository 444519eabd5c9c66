"""Gradients added up on the straight way from a blurred image to the image (Sundararajan et al. 2017, arXiv:1703.01365).

The attributions of all voxels add up to what the number changes on the way: they are complete. Of a deep network twelve steps order the voxels
as forty do, and are as faithful, but their sum is off (by 3 to 53 % in four cases of hippocampus-mr 1.0.1; with forty by 3 % at most): the
difference is shared out by strength.
"""

from __future__ import annotations

import numpy as np
import torch

from deepseg.explanation.blurring import blurred
from deepseg.explanation.methods.method import Asked, Method


class IntegratedGradients(Method):
    title, needs_layer, passes = "Integrated gradients", False, 12

    def attribute(self, asked: Asked) -> torch.Tensor:
        return self.by_input(asked).sum(0)

    def by_input(self, asked: Asked) -> torch.Tensor:
        """Attributions (C, I, J, K), those of each input for itself."""
        start = blurred(asked.image, asked.passes.network.spec)
        found = self.along(asked, start)
        missing = asked.passes.number(asked.image) - asked.passes.number(start) - float(found.sum())
        strength = found.abs()
        return found + missing * strength / strength.sum().clamp_min(torch.finfo(strength.dtype).tiny)

    def along(self, asked: Asked, start: torch.Tensor) -> torch.Tensor:
        """What the steps from `start` to the image (C, I, J, K) add up to, before anything is shared out."""
        way, total = asked.image - start, torch.zeros_like(asked.image)
        places, weights = np.polynomial.legendre.leggauss(self.passes)
        for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
            total += float(weight) * asked.passes.gradient(start + float(place) * way)[1]
        return total * way
