"""A network of slices that takes and gives volumes: slice by slice (2D), or each slice with its neighbours as channels (2.5D)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from deepseg.networks.heads import heads_of


class SliceBySlice(nn.Module):
    """Input (N, C, I, J, K) to logits (N, L, I, J, K); in training mode (N, heads, L, I, J, K) where the network of slices has several heads.

    Slices with their neighbours are ordered as `WindowSpec.slice_context` orders them: by channel, then from the slice before to the one after, the
    window's border repeated. So `network` alone serves a model whose windows are slices.

    Attributes:
        network: the network of slices.
    """

    def __init__(self, network: str, kwargs: dict[str, Any], slice_axis: int, context: int = 0) -> None:
        """Settings in JSON types.

        Args:
            network: name of a registered network.
            kwargs: its settings, for two axes and (2 * context + 1) times the image's channels.
            slice_axis: the axis across the slices, 0 to 2.
            context: neighbours on either side.

        Raises:
            ValueError: the network is none of slices, or a number is out of range.
            ModelError: its settings do not fit it.
        """
        from deepseg.networks import build_network

        super().__init__()
        if slice_axis not in (0, 1, 2) or context < 0:
            raise ValueError(f"slice_axis is {slice_axis} and context {context}; expected an axis from 0 to 2 and a number of neighbours")
        self.network = build_network(network, kwargs)
        parts = list(self.network.modules())
        if any(isinstance(part, (nn.Conv3d, nn.ConvTranspose3d, SliceBySlice)) for part in parts):
            raise ValueError(f"{network} is not set up for slices; expected settings for two axes (spatial_dims 2)")
        if getattr(self.network, "spread_block", None) is not None:
            raise ValueError(f"{network} learns the noise of its logits, which is not looked for in networks of slices")
        self.slice_axis, self.context = slice_axis, context

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        slices = images.movedim(self.slice_axis + 2, 1)
        count, thickness = slices.shape[:2]
        if self.context:
            near = torch.arange(-self.context, self.context + 1, device=images.device)
            at = (torch.arange(thickness, device=images.device)[:, None] + near).clamp(0, thickness - 1)
            # (N, S, neighbours, C, a, b) -> (N, S, C * neighbours, a, b)
            slices = slices[:, at].transpose(2, 3).flatten(2, 3)
        heads = heads_of(self.network(slices.flatten(0, 1)), spatial_dims=2).unflatten(0, (count, thickness))
        volumes = heads.movedim(1, self.slice_axis + 3)
        return volumes if self.training and volumes.shape[1] > 1 else volumes[:, 0]
