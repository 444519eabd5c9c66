"""Layers that a map can be drawn of, and what they make of the windows, put together over all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from deepseg.errors import ExplanationError
from deepseg.explanation.asked_windows import Strides
from deepseg.explanation.passes import Passes
from deepseg.feature_maps import feature_maps
from deepseg.spec import ModelSpec


def layers_of(spec: ModelSpec) -> dict[str, Strides]:
    """Modules whose output is a map over the window, with the voxels that one of its places stands for; empty where nobody can tell without a run."""
    across, found = spec.window.slice_axis, {}
    size = [n for axis, n in enumerate(spec.window.size) if axis != across]
    for name, shape in feature_maps(spec).items():
        if any(a % b for a, b in zip(size, shape, strict=True)):
            continue
        strides = [a // b for a, b in zip(size, shape, strict=True)]
        if across is not None:
            strides.insert(across, 1)
        found[name] = tuple(strides)
    return found


def usual_layer(layers: dict[str, Strides]) -> str | None:
    """The last of the outermost layers that are coarser than the image; else the last but the output. None where there is none."""
    coarser = [name for name, strides in layers.items() if max(strides) > 1 and "." not in name]
    return coarser[-1] if coarser else next(iter(list(layers)[-2:-1]), None)


def strides_of(spec: ModelSpec, layer: str) -> Strides:
    """Voxels that one place of a layer's map stands for.

    Raises:
        ExplanationError: there is no such layer, or its output is no map over the window.
    """
    layers = layers_of(spec)
    if layer not in layers:
        some = ", ".join(list(layers)[-6:]) or "none"
        raise ExplanationError(f"The model {spec.id} has no layer '{layer}' whose output is a map over the image; the last ones are {some}.")
    return layers[layer]


@dataclass(frozen=True, eq=False)
class LayerMap:
    """A layer over all windows that matter, as if they were one.

    Attributes:
        activations: float32 (K, a, b, c), blended.
        gradients: what a small change of each adds to the question's number.
    """

    activations: torch.Tensor
    gradients: torch.Tensor
    _passes: Passes

    @staticmethod
    def of(passes: Passes, image: torch.Tensor, layer: str) -> LayerMap:
        """Look at a layer in each window; windows begin at multiples of its strides, so that their maps fit each other."""
        strides = strides_of(passes.network.spec, layer)
        passes = passes.aligned(strides)
        region = passes.windows.region()
        activations = gradients = shares = torch.empty(0)
        for corner, active, slope in passes.at_layer(image, layer):
            if passes.network.spec.window.slice_axis is not None:
                active, slope = (values.unsqueeze(passes.network.spec.window.slice_axis + 1) for values in (active, slope))
            if not gradients.numel():
                size = [(s.stop - s.start) // stride for s, stride in zip(region, strides, strict=True)]
                activations, gradients, shares = torch.zeros((len(active), *size)), torch.zeros((len(active), *size)), torch.zeros(size)
            share = nn.functional.avg_pool3d(passes.windows.share(corner)[None], strides)[0]
            at = tuple(
                slice((c - s.start) // stride, (c - s.start) // stride + n)
                for c, s, stride, n in zip(corner, region, strides, share.shape, strict=True)
            )
            activations[(slice(None), *at)] += active * share
            gradients[(slice(None), *at)] += slope
            shares[at] += share
        return LayerMap(activations / shares.clamp_min(torch.finfo(torch.float32).tiny), gradients, passes)

    @property
    def mean_gradients(self) -> torch.Tensor:
        """Each channel's mean gradient over the whole image, (K, 1, 1, 1); windows that do not matter have none."""
        windows, region = self._passes.windows, self._passes.windows.region()
        share = math.prod(s.stop - s.start for s in region) / math.prod(windows.shape)
        return self.gradients.mean((1, 2, 3), keepdim=True) * share

    def on_image(self, values: torch.Tensor) -> torch.Tensor:
        """Values (a, b, c) of the map brought to the image's grid (I, J, K), 0 where no window looked."""
        windows = self._passes.windows
        region = windows.region()
        fine = nn.functional.interpolate(values[None, None], [s.stop - s.start for s in region], mode="trilinear", align_corners=False)[0, 0]
        whole = torch.zeros(windows.shape)
        whole[region] = fine
        return windows.unpad(whole[None])[0]
