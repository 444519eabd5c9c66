"""A bundle's network: one of MONAI's that DeepSeg builds, with arguments in JSON types."""

from __future__ import annotations

from typing import Any

from deepseg.errors import ModelError
from deepseg.importers.monai_arguments import arguments, named, refuse
from deepseg.importers.monai_config import BundleConfig, Component
from deepseg.importers.monai_limits import shown
from deepseg.networks.monai_networks import MONAI_NETWORKS
from deepseg.spec import NetworkSpec

NAMES = frozenset({*MONAI_NETWORKS, "DiNTS", "DynUNet"})

ALIASES = {
    "AttentionUNet": "AttentionUnet",
    "BasicUnet": "BasicUNet",
    "Basicunet": "BasicUNet",
    "BasicUnetPlusPlus": "BasicUNetPlusPlus",
    "DynUnet": "DynUNet",
    "Dynunet": "DynUNet",
    "FlexUNet": "FlexibleUNet",
    "Unet": "UNet",
}
"""Other names that MONAI has for them."""

_DROPPED = {"SwinUNETR": {"img_size"}, "FlexibleUNet": {"pretrained"}}
"""Arguments that newer MONAI does not take, or that only tell where weights come from."""

_RENAMED = {"UNETR": {"pos_embed": "proj_type"}}
"""Arguments that newer MONAI takes under another name."""

_MOST_CHANNELS = 1000


def read_network(config: BundleConfig) -> NetworkSpec:
    """The network that the config defines as `network_def`, or as `network`.

    Raises:
        ModelError: it is not one of MONAI's that DeepSeg builds, or its arguments are no plain values.
    """
    place = next((place for place in ("network_def", "network") if place in config), None)
    if place is None:
        raise ModelError(f"{config.source} defines neither 'network_def' nor 'network', so this is no bundle of one segmentation network.")
    defined = config.get(place)
    if not isinstance(defined, Component):
        raise ModelError(
            f"{config.source} defines its network as {shown(defined)}, where one of MONAI's classes was expected; it cannot be imported."
        )
    name = defined.monai_name("monai.networks.nets") or ""
    name = ALIASES.get(name, name)
    if name not in NAMES:
        raise ModelError(
            f"{named(defined)} is a network that DeepSeg does not build, so the bundle cannot be imported. It builds {', '.join(sorted(NAMES))}."
        )
    if name == "DiNTS":
        return NetworkSpec(name, _dints(defined))
    dropped, renamed = _DROPPED.get(name, set()), _RENAMED.get(name, {})
    return NetworkSpec(name, {renamed.get(key, key): _plain(defined, key) for key in sorted(defined.given - dropped)})


def channel_counts(network: NetworkSpec) -> tuple[int, int]:
    """Channels a network takes and answers.

    Raises:
        ModelError: its arguments do not tell, or more than any segmentation network has.
    """
    known = {"BasicUNet": (1, 2), "BasicUNetPlusPlus": (1, 2), "SegResNet": (1, 2), "SegResNetDS": (1, 2), "VNet": (1, 1)}
    known |= {"HighResNet": (1, 1), "MedNeXt": (1, 2)}
    default = known.get(network.name, (None, None))
    counts = network.kwargs.get("in_channels", default[0]), network.kwargs.get("num_classes", network.kwargs.get("out_channels", default[1]))
    if not all(isinstance(count, int) and 0 < count <= _MOST_CHANNELS for count in counts):
        raise ModelError(
            f"The bundle's network {network.name} must tell its channels, 1 to {_MOST_CHANNELS}: {shown(counts[0])} in, {shown(counts[1])} out."
        )
    return counts


def spatial_dims(network: NetworkSpec) -> int:
    """2 or 3, as the network's images have axes.

    Raises:
        ModelError: it is another number.
    """
    dims = network.kwargs.get("spatial_dims", 2 if network.name == "FlexibleUNet" else 3)
    if dims not in (2, 3):
        raise ModelError(f"The bundle's network {network.name} has spatial_dims {shown(dims)}, where 2 or 3 was expected; it cannot be imported.")
    return dims


def _dints(component: Component) -> dict[str, Any]:
    given = arguments(component, dict.fromkeys(component.given))
    space = given.pop("dints_space", None)
    if not isinstance(space, Component) or space.monai_name("monai.networks.nets") != "TopologyInstance":
        raise refuse(component, "needs a TopologyInstance as its dints_space, the architecture that a search has found")
    if "node_a" not in given:
        raise refuse(component, "lacks node_a, the nodes that a search has found")
    settings = {key: _plain(space, key) for key in sorted(space.given - {"device"})}
    return {**{key: _checked(component, key, value) for key, value in sorted(given.items())}, "dints_space": settings}


def _plain(component: Component, key: str) -> Any:
    return _checked(component, key, component.argument(key))


def _checked(component: Component, key: str, value: Any) -> Any:
    """A value in JSON types alone."""
    if isinstance(value, list):
        return [_checked(component, key, item) for item in value]
    if isinstance(value, dict):
        return {str(name): _checked(component, key, item) for name, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    kind = value.target if isinstance(value, Component) else type(value).__name__
    raise refuse(component, f"has the argument {key} = {kind}, where numbers, texts and lists are allowed")
