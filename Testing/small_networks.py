"""Every registered network in a size for tests: the settings of its preset, with few channels in place of the usual."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from deepseg.networks.heads import heads_of
from deepseg.networks.presets import completed_kwargs
from deepseg.spec import InputSpec, IntensityStep, ModelSpec, NetworkSpec, WindowSpec

WINDOW = (16, 16, 32)
"""Leaves networks that halve four times more than one voxel."""
LARGE_WINDOW = {"FlexibleUNet": (32, 32, 64), "SwinUNETR": (32, 32, 64)}
"""Of those that halve five times."""

SMALL_DYNUNET: dict[str, Any] = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "kernel_size": [3, 3, 3],
    "strides": [1, 2, 2],
    "upsample_kernel_size": [2, 2],
    "filters": [4, 6, 8],
    "norm_name": ["INSTANCE", {"affine": True}],
}
"""A DynUNet of two labels that runs at once."""
SUPERVISED_DYNUNET: dict[str, Any] = {**SMALL_DYNUNET, "deep_supervision": True, "deep_supr_num": 1, "res_block": True}
"""The same with residual blocks, and answers at two depths while it is trained."""

_ONE_BLOCK = {"blocks_down": [1, 1, 1, 1]}
FEW_CHANNELS: dict[str, dict[str, Any]] = {
    "AttentionUnet": {"channels": [4, 6, 8]},
    "BasicUNet": {"features": [4, 4, 8, 8, 8, 4]},
    "BasicUNetPlusPlus": {"features": [4, 4, 8, 8, 8, 4]},
    "ChannelDropoutDynUNet": {"filters": [4, 6, 8]},
    "DynUNet": {"filters": [4, 6, 8]},
    "FlexibleUNet": {"decoder_channels": [16, 8, 8, 8, 4]},
    "HeteroscedasticDynUNet": {"filters": [4, 6, 8]},
    "HighResNet": {
        "layer_params": [
            {"name": "conv_0", "n_features": 4, "kernel_size": 3},
            {"name": "res_1", "n_features": 8, "kernels": [3, 3], "repeat": 2},
            {"name": "conv_1", "n_features": 8, "kernel_size": 1},
            {"name": "conv_2", "kernel_size": 1},
        ]
    },
    "MedNeXt": {"init_filters": 4, **_ONE_BLOCK, "blocks_bottleneck": 1, "blocks_up": [1, 1, 1, 1]},
    "PlainConvUNet": {"features_per_stage": [4, 6, 8]},
    "ResidualEncoderUNet": {"features_per_stage": [4, 6, 8], "n_blocks_per_stage": [1, 1, 1]},
    "SegResNet": {"init_filters": 8, **_ONE_BLOCK},
    "SegResNetDS": {"init_filters": 4, **_ONE_BLOCK},
    "SeparableUNet": {"channels": [4, 6, 8]},
    "SliceBySlice": {"context": 1, "kwargs": {"filters": [4, 6, 8]}},
    "SwinUNETR": {"feature_size": 12, "depths": [1, 1, 1, 1], "window_size": 2},
    "UNETR": {"feature_size": 4, "hidden_size": 24, "mlp_dim": 32, "num_heads": 3},
    "UNet": {"channels": [4, 6, 8], "num_res_units": 2},
}
"""In place of the presets'; a network that is missing here is tried as its preset makes it."""


def window_of(name: str) -> tuple[int, int, int]:
    return LARGE_WINDOW.get(name, WINDOW)


def small_kwargs(name: str, **given: Any) -> dict[str, Any]:
    """Settings of a small network of two inputs and three labels (background among them); `given` are further ones."""
    few = {**FEW_CHANNELS.get(name, {}), **given}
    return completed_kwargs(name, few, channels=2, labels=3, window=window_of(name), spacing=(1.5, 1.5, 1.5))


def small_spec(tiny_spec: ModelSpec, name: str, kwargs: dict[str, Any]) -> ModelSpec:
    """A model of two inputs and two labels with this network."""
    inputs = tuple(InputSpec(title, "MR", "a.u.", (IntensityStep("zscore"),)) for title in ("T1", "T2"))
    window = WindowSpec(window_of(name), overlap=0.25)
    # On so coarse a grid the golden file's phantom lies in one window.
    return replace(tiny_spec, id="small", inputs=inputs, spacing_mm=(3.0, 3.0, 3.0), network=NetworkSpec(name, kwargs), window=window)


def a_task(window: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (2, 2, I, J, K) with noise, and labels (2, I, J, K): a bright ball, and in it what is bright in the second channel."""
    generator = torch.Generator().manual_seed(3)
    at = torch.stack(torch.meshgrid(*(torch.linspace(-1, 1, n) for n in window), indexing="ij"))
    balls = torch.stack([((at - centre) ** 2).sum(0) < 0.4 for centre in (0.2, -0.2)])
    behind = (at[1] > 0).expand_as(balls)
    images = torch.stack([balls.float(), behind.float()], 1) + 0.3 * torch.randn((2, 2, *window), generator=generator)
    return images, balls.long() * (1 + behind.long())


def cross_entropy(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean over the heads, with the same dropout at each call; the head that tells noise is left out."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        heads = heads_of(network(images))
    if getattr(network, "spread_block", None) is not None:
        heads = heads[:, :-1]
    losses = [torch.nn.functional.cross_entropy(head, labels) for head in heads.unbind(1)]
    return torch.stack(losses).mean()
