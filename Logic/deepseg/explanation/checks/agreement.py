"""Whether a map changes when it should and stays when it should."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from deepseg.explanation.methods.method import Asked, Method
from deepseg.explanation.passes import Passes
from deepseg.window_network import WindowNetwork

_SMALL_NOISE = 0.02
"""Deviation as a share of the image's range: a reader would not see it."""


def shuffled(method: Method, asked: Asked, values: torch.Tensor) -> tuple[float, float]:
    """Rank correlation of the map with that of the same network with its weights shuffled, signs and all, and of the strengths alone.

    Adebayo et al. 2018, arXiv:1810.03292, tell both: methods that multiply by the image mark its details with any network, and only what
    these speak for, the signs, tells networks apart.
    """
    passes, generator = asked.passes, torch.Generator().manual_seed(asked.seed)
    network = WindowNetwork([_shuffled(member, generator) for member in passes.network.members], passes.network.spec, passes.network.precision)
    other = method.attribute(replace(asked, passes=Passes(network, passes.question, passes.on_window)))
    return rank_correlation(values, other), rank_correlation(values.abs(), other.abs())


def _shuffled(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy with each tensor of weights in another order; the network itself may be at work elsewhere."""
    # DynUNet keeps its last answers in a list; while a gradient hangs on them PyTorch refuses to copy them.
    held = [values for module in network.modules() for values in vars(module).values() if isinstance(values, list)]
    answers = {id(value): value.detach() for values in held for value in values if isinstance(value, torch.Tensor)}
    other = copy.deepcopy(network, answers)
    for weights in other.parameters():
        flat = weights.data.flatten()
        weights.data = flat[torch.randperm(len(flat), generator=generator)].reshape(weights.shape)
    return other


def another_label(method: Method, asked: Asked, values: torch.Tensor) -> float | None:
    """Correlation of the map with that of the next label at the same place, signs and all; None where the question is of no label."""
    question = asked.passes.question
    if not question.linear or question.other is not None:
        return None
    first = 0 if question.overlapping else 1
    others = [channel for channel in range(first, question.channels) if channel != question.channel] or [0]
    passes = Passes(asked.passes.network, replace(question, channel=others[0]), asked.passes.on_window)
    return _correlation(values, method.attribute(replace(asked, passes=passes)))


def with_noise(method: Method, asked: Asked, values: torch.Tensor) -> float:
    """Rank correlation of the map with that of the image with noise nobody would see."""
    flat = asked.image.flatten(1)
    width = _SMALL_NOISE * (flat.amax(1) - flat.amin(1))[:, None, None, None]
    noise = torch.randn(asked.image.shape, generator=torch.Generator().manual_seed(asked.seed))
    return rank_correlation(values, method.attribute(replace(asked, image=asked.image + width * noise)))


def share_inside(values: torch.Tensor, where: torch.Tensor, reach: int = 2) -> float:
    """Share of what speaks for it that lies at the place asked about or within `reach` voxels of it."""
    near = torch.nn.functional.max_pool3d((where > 0).float()[None], 2 * reach + 1, 1, reach)[0] > 0
    above = values.clamp_min(0)
    return float(above[near].sum() / above.sum()) if above.any() else 0.0


def rank_correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Spearman's."""
    return _correlation(*(torch.from_numpy(_ranks(values.flatten().numpy())) for values in (first, second)))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    a, b = (values.flatten().double() - values.double().mean() for values in (first, second))
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size > 0 else 0.0
