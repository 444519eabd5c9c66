"""Networks a model file may name. Only what is registered here is ever built: a model file brings numbers, never code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import nn

from deepseg.errors import ModelError
from deepseg.networks.dints import build_dints
from deepseg.networks.dynunet import build_dynunet, build_heteroscedastic_dynunet
from deepseg.networks.known import require_known
from deepseg.networks.monai_networks import builders
from deepseg.networks.plain_conv_unet import build_plain_conv_unet
from deepseg.networks.residual_encoder_unet import build_residual_encoder_unet


def _of(module: str, name: str) -> Callable[..., nn.Module]:
    """A network of our own, whose module is loaded when it is first built: MONAI takes seconds to load."""

    def build(**kwargs: Any) -> nn.Module:
        return getattr(import_module(f"deepseg.networks.{module}"), name)(**kwargs)

    return build


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "ChannelDropoutDynUNet": _of("channel_dropout_dynunet", "ChannelDropoutDynUNet"),
    "DiNTS": build_dints,
    "DynUNet": build_dynunet,
    "HeteroscedasticDynUNet": build_heteroscedastic_dynunet,
    "PlainConvUNet": build_plain_conv_unet,
    "ResidualEncoderUNet": build_residual_encoder_unet,
    "SeparableUNet": _of("separable_unet", "SeparableUNet"),
    "SliceBySlice": _of("slice_by_slice", "SliceBySlice"),
    **builders(),
}


def build_network(name: str, kwargs: dict[str, Any]) -> nn.Module:
    """Build a registered network: input (N, C, I, J, K), output logits (N, L, I, J, K) in evaluation mode.

    Raises:
        ModelError: the name is not registered or the arguments do not fit it.
    """
    require_known(name, NETWORKS)
    try:
        return NETWORKS[name](**kwargs)
    except MemoryError:
        raise
    except Exception as error:  # a builder may fail in any way on settings that were not made for it
        reason = " ".join(str(error).split()).rstrip(".")
        raise ModelError(
            f"The settings for the network {name} do not fit it: {reason}. Correct them; a model's file is damaged or of another version."
        ) from error


def stored_names(network: nn.Module) -> set[str]:
    """Names under which a network's parameters and buffers are stored, each shared tensor once.

    MONAI's DynUNet registers its blocks a second time for its skip connections; a plain state dict would store most weights twice.
    """
    tensors = [*network.named_parameters(), *network.named_buffers()]
    return {name for name, _ in tensors}


def load_stored(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Load what `stored_names` lists.

    Raises:
        ModelError: a tensor is missing, unknown or of another shape.
    """
    expected = stored_names(network)
    if set(state) != expected:
        odd = sorted(expected.symmetric_difference(state))
        raise ModelError(f"The weights do not fit the network: {len(odd)} tensors are missing or unknown, the first is '{odd[0]}'.")
    try:
        network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ModelError(f"The weights do not fit the network: {str(error).splitlines()[-1].strip()}") from error
