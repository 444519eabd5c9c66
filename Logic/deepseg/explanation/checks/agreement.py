"""Whether a map changes when it should and stays when it should."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch

from deepseg.explanation.methods.method import Asked, Method
from deepseg.explanation.passes import Passes
from deepseg.window_network import WindowNetwork

_SMALL_NOISE = 0.02
"""Deviation as a share of the image's range: a reader would not see it."""


def shuffled(method: Method, asked: Asked, values: torch.Tensor) -> float:
    """Rank correlation of the map's strength with that of the same network with its weights shuffled (Adebayo et al. 2018, arXiv:1810.03292)."""
    network, generator = asked.passes.network, torch.Generator().manual_seed(asked.seed)
    members = []
    for member in network.members:
        other = copy.deepcopy(member)
        for tensor in other.parameters():
            flat = tensor.data.flatten()
            tensor.data = flat[torch.randperm(len(flat), generator=generator)].reshape(tensor.shape)
        members.append(other)
    passes = Passes(WindowNetwork(members, network.spec, network.precision), asked.passes.question, asked.passes.on_window)
    return rank_correlation(values, method.attribute(replace(asked, passes=passes)))


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
    """Rank correlation of the map's strength with that of the image with noise nobody would see."""
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
    """Spearman's, of strengths."""
    return _correlation(*(torch.from_numpy(_ranks(values.abs().flatten().numpy())) for values in (first, second)))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    a, b = (values.flatten().double() - values.double().mean() for values in (first, second))
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size > 0 else 0.0
