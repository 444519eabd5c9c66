"""MONAI's segmentation networks, under their own names and with their own arguments in JSON types."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

MONAI_NETWORKS = (
    "AttentionUnet",
    "BasicUNet",
    "BasicUNetPlusPlus",
    "FlexibleUNet",
    "HighResNet",
    "MedNeXt",
    "SegResNet",
    "SegResNetDS",
    "SwinUNETR",
    "UNETR",
    "UNet",
    "VNet",
)
"""Those that take an image (N, C, ...) and answer logits (N, L, ...) of its size, or a list that begins with them."""

_ALWAYS: dict[str, dict[str, Any]] = {"FlexibleUNet": {"pretrained": False}, "SwinUNETR": {"use_checkpoint": False}}
"""Set whatever a model file says: weights come from the file alone, and nothing is downloaded; recomputing saves memory in training only."""

_UNUSED = {"FlexibleUNet": ("encoder._conv_head", "encoder._bn1", "encoder._fc"), "UNETR": ("norm_cross_attn", "cross_attn.")}
"""Parts of names of parameters that MONAI makes and never computes with. They get no gradient, for which training on several devices would wait."""

_OLD_SIZE = 96
"""Any multiple of 32; MONAI before 1.5 wants `img_size` of SwinUNETR only to check that."""


def builders() -> dict[str, Callable[..., nn.Module]]:
    """A builder for each name of `MONAI_NETWORKS`; MONAI is loaded by the first that is called."""
    return {name: partial(_build, name) for name in MONAI_NETWORKS}


def _build(name: str, **kwargs: Any) -> nn.Module:
    from monai.networks import nets

    network = getattr(nets, name)
    if name == "BasicUNetPlusPlus":
        from deepseg.networks.basic_unet_plus_plus import BasicUNetPlusPlus

        network = BasicUNetPlusPlus
    wanted = inspect.signature(network.__init__).parameters
    if name == "SwinUNETR" and "img_size" in wanted:
        kwargs = {"img_size": [_OLD_SIZE] * kwargs.get("spatial_dims", 3), **kwargs}
    built = network(**{**kwargs, **_ALWAYS.get(name, {})})
    for key, parameter in built.named_parameters():
        if any(part in key for part in _UNUSED.get(name, ())):
            parameter.requires_grad_(False)
    return built
