"""nnU-Net's U-Net with optional residual blocks and deep supervision, as MONAI builds it (Isensee et al. 2021)."""

from __future__ import annotations

from typing import Any

from torch import nn


def build_dynunet(**kwargs: Any) -> nn.Module:
    """MONAI's `DynUNet`; `kwargs` are its own, in JSON types.

    In training mode with `deep_supervision` the output is (N, heads, L, I, J, K); in evaluation mode (N, L, I, J, K).
    """
    from monai.networks.nets import DynUNet

    return DynUNet(**kwargs)


def build_heteroscedastic_dynunet(**kwargs: Any) -> nn.Module:
    """A `HeteroscedasticDynUNet`; `kwargs` are those of a DynUNet."""
    from deepseg.networks.heteroscedastic_dynunet import HeteroscedasticDynUNet

    return HeteroscedasticDynUNet(**kwargs)
