"""How far around a voxel a model can see, and how far it does look (Luo et al. 2016, arXiv:1701.04128)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from deepseg.explanation.passes import Passes
from deepseg.window_network import WindowNetwork

MOST = 0.95
"""Share of the gradient's strength that the effective field holds."""
_NORMS = (nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm)
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Sigmoid, nn.Tanh, nn.Softmax)


@dataclass(frozen=True)
class ReceptiveField:
    """Extents in mm along the axes of the model's grid.

    Attributes:
        theoretical_mm: of all voxels that convolutions connect with the one asked about, at most the window. Norms, which look at whole
            windows, are left out.
        effective_mm: of the smallest box around it, with sides in the theoretical one's proportions, that holds 95 % of the gradient's strength.
    """

    theoretical_mm: tuple[float, float, float]
    effective_mm: tuple[float, float, float]


def receptive_field(passes: Passes, image: torch.Tensor) -> ReceptiveField:
    """Of the voxel that the question asks about; `image` is float32 (C, I, J, K) on the model's grid.

    Only one voxel may count in `passes.question.where`.
    """
    spec = passes.network.spec
    spacing = np.array([mm or 1.0 for mm in spec.spacing_mm])
    center = torch.nonzero(passes.question.where)[0].numpy()
    plain = [_plain(member) for member in passes.network.members]
    alone = replace(passes.question, channel=0, other=None, overlapping=True)  # one logit, from which nothing is taken away
    reach = Passes(WindowNetwork(plain, spec, "float32"), alone).gradient(torch.ones_like(image))[1].abs().sum(0)
    at = np.argwhere(reach.numpy() > 0)
    sides = at.max(0) - at.min(0) + 1
    strength = passes.gradient(image)[1].abs().sum(0).numpy()
    # How far each voxel is from the middle, in half sides of the theoretical field.
    away = np.max([np.abs(index - c) / (side / 2) for index, c, side in zip(np.indices(strength.shape), center, sides, strict=True)], axis=0)
    order = np.argsort(away, axis=None)
    held = strength.ravel()[order].cumsum() / strength.sum()
    share = float(away.ravel()[order][np.searchsorted(held, MOST)])
    return ReceptiveField(tuple(float(x) for x in sides * spacing), tuple(float(x) for x in np.minimum(share, 1.0) * sides * spacing))


def _plain(network: nn.Module) -> nn.Module:
    """A copy in which everything that convolutions connect adds up and nothing cancels."""
    other = copy.deepcopy(network)
    for part in other.modules():
        if isinstance(part, (*_NORMS, *_ACTIVATIONS)):
            part.forward = lambda values: values
        elif isinstance(part, nn.Dropout):
            continue
        for name, tensor in part.named_parameters(recurse=False):
            tensor.data = torch.full_like(tensor, 1e-3) if name == "weight" else torch.zeros_like(tensor)
    return other
