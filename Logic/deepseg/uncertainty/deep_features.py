"""What a network makes of an image at its narrowest: means and spreads of the channels of one layer, where the model sees something."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from deepseg.feature_maps import feature_maps
from deepseg.spec import ModelSpec

_LEAST = 1e-6
"""Weight of a window in which the model sees nothing, so that there is an answer where it sees nothing anywhere."""


def deepest_layer(spec: ModelSpec) -> str | None:
    """Name of the module with the fewest voxels a channel, the outermost and first of several; None where it cannot be found without a run."""
    maps = feature_maps(spec)
    return min(maps, key=lambda name: math.prod(maps[name])) if maps else None


class DeepFeatures:
    """Adds up one layer's answers window by window, each as much as the model sees in it."""

    def __init__(self, layer: str, overlapping: bool) -> None:
        self._layer, self._overlapping = layer, overlapping
        self._sum, self._weight = 0.0, 0.0

    @contextmanager
    def listening(self, network: nn.Module) -> Iterator[list[torch.Tensor]]:
        """While the block runs, the layer's answers are kept in the list."""
        heard: list[torch.Tensor] = []
        hook = dict(network.named_modules())[self._layer].register_forward_hook(lambda module, inputs, output: heard.append(output))
        try:
            yield heard
        finally:
            hook.remove()

    def add(self, heard: torch.Tensor, logits: torch.Tensor) -> None:
        """The layer's answer (N, C, ...) to N windows, and the network's logits (N, L, ...) for them."""
        flat = heard.detach().float().flatten(2).cpu().double()
        features = torch.cat([flat.mean(2), flat.std(2, unbiased=False)], 1)
        logits = logits.detach().float()
        seen = torch.sigmoid(logits).amax(1) if self._overlapping else 1 - torch.softmax(logits, 1)[:, 0]
        weights = seen.flatten(1).mean(1).cpu().double() + _LEAST
        self._sum = self._sum + (features * weights[:, None]).sum(0)
        self._weight += float(weights.sum())

    def mean(self) -> np.ndarray | None:
        """Float64 (2 C): each channel's mean, then each channel's deviation; None where no window was seen."""
        return (self._sum / self._weight).numpy() if self._weight else None
