"""Settings of each registered network that suit a window, so that a training config need name no more than the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepseg.networks.known import require_known
from deepseg.networks.window_fit import Stages, plan_stages, require_multiples

_WIDEST = {2: 512, 3: 320}
"""Channels of the coarsest stages, nnU-Net's limits for networks of slices and of volumes."""


@dataclass(frozen=True)
class Task:
    """What settings are asked for.

    Attributes:
        name: of the network.
        channels: of the image.
        labels: channels of the answer (`ModelSpec.channel_count`): with background where labels exclude each other.
        window: voxels along the axes; two of them for a network of slices.
        spacing_mm: voxel sizes along them; None where a model keeps the image's own.
    """

    name: str
    channels: int
    labels: int
    window: tuple[int, ...]
    spacing_mm: tuple[float | None, ...]

    @property
    def common(self) -> dict[str, Any]:
        """What MONAI's networks all ask for."""
        return {"spatial_dims": len(self.window), "in_channels": self.channels, "out_channels": self.labels}

    def stages(self) -> Stages:
        return plan_stages(self.name, self.window, self.spacing_mm)

    def widths(self, count: int, first: int = 32) -> list[int]:
        """Channels of each stage, doubled from one to the next."""
        return [min(first * 2**n, _WIDEST[len(self.window)]) for n in range(count)]

    def require(self, factor: int, multiples: bool = True) -> None:
        """Refuse a window that does not leave the coarsest map, `factor` times smaller, more than one voxel: norms would make nothing of it."""
        least = factor if any(n >= 2 * factor for n in self.window) else 2 * factor
        require_multiples(self.name, self.window, [factor if multiples else 1] * len(self.window), least)


def default_kwargs(name: str, *, channels: int, labels: int, window: Sequence[int], spacing: Sequence[float | None]) -> dict[str, Any]:
    """Settings of a registered network, in JSON types, for windows of this size.

    Args:
        name: of the network.
        channels: of the image.
        labels: channels of the answer, with background where labels exclude each other.
        window: voxels along the model's axes.
        spacing: voxel sizes along them in mm; None where the model keeps the image's own.

    Raises:
        ModelError: there is no such network, or the window does not suit it; the message names the nearest that do.
    """
    require_known(name, PRESETS)
    return PRESETS[name](Task(name, channels, labels, tuple(window), tuple(spacing)))


def completed_kwargs(
    name: str, given: Mapping[str, Any], *, channels: int, labels: int, window: Sequence[int], spacing: Sequence[float | None]
) -> dict[str, Any]:
    """The settings of `default_kwargs` with those given in place of their own. The network inside a SliceBySlice is completed likewise.

    Raises:
        ModelError: as `default_kwargs`.
    """
    task = Task(name, channels, labels, tuple(window), tuple(spacing))
    if name == "SliceBySlice":
        return _slice_by_slice(task, **given)
    return {**default_kwargs(name, channels=channels, labels=labels, window=window, spacing=spacing), **given}


def _dynunet(task: Task) -> dict[str, Any]:
    stages = task.stages()
    return {
        **task.common,
        "kernel_size": _lists(stages.kernels),
        "strides": _lists(stages.strides),
        "upsample_kernel_size": _lists(stages.strides[1:]),
        "filters": task.widths(len(stages)),
        "norm_name": ["INSTANCE", {"affine": True}],
        "deep_supervision": True,
        "deep_supr_num": min(len(stages) - 2, 3),
        "res_block": True,
    }


def _channel_dropout_dynunet(task: Task) -> dict[str, Any]:
    return {**_dynunet(task), "dropout": 0.2}


def _unet(task: Task) -> dict[str, Any]:
    """`num_res_units` 0 is the plain U-Net, 2 the residual one (Kerfoot et al. 2019)."""
    stages = task.stages()
    return {**task.common, "channels": task.widths(len(stages)), "strides": _lists(stages.strides[1:]), "num_res_units": 0}


def _attention_unet(task: Task) -> dict[str, Any]:
    stages = task.stages()
    return {**task.common, "channels": task.widths(len(stages)), "strides": _lists(stages.strides[1:])}


def _nnunet(task: Task, **counts: Any) -> dict[str, Any]:
    stages, axes = task.stages(), len(task.window)
    return {
        "input_channels": task.channels,
        "num_classes": task.labels,
        "n_stages": len(stages),
        "features_per_stage": task.widths(len(stages)),
        "kernel_sizes": _lists(stages.kernels),
        "strides": _lists(stages.strides),
        "n_conv_per_stage_decoder": [counts.pop("decoder")] * (len(stages) - 1),
        **{key: list(value[: len(stages)]) for key, value in counts.items()},
        "conv_op": f"Conv{axes}d",
        "conv_bias": True,
        "norm_op": f"InstanceNorm{axes}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
        "deep_supervision": True,
    }


def _plain_conv_unet(task: Task) -> dict[str, Any]:
    return _nnunet(task, decoder=2, n_conv_per_stage=(2,) * 6)


def _residual_encoder_unet(task: Task) -> dict[str, Any]:
    return _nnunet(task, decoder=1, n_blocks_per_stage=(1, 3, 4, 6, 6, 6))


def _separable_unet(task: Task) -> dict[str, Any]:
    stages = task.stages()
    return {
        **task.common,
        # Half as many channels on the full grid, where most of the time goes.
        "channels": [16, *task.widths(len(stages))[1:]],
        "strides": _lists(stages.strides[1:]),
        "deep_supervision": True,
    }


def _basic_unet(task: Task) -> dict[str, Any]:
    task.require(16, multiples=False)
    return {**task.common, "features": [32, 32, 64, 128, 256, 32]}


def _basic_unet_plus_plus(task: Task) -> dict[str, Any]:
    """Without deep supervision the heads of the shallower U-Nets, which are there all the same, would get no gradient."""
    return {**_basic_unet(task), "deep_supervision": True}


def _flexible_unet(task: Task) -> dict[str, Any]:
    task.require(32)
    return {**task.common, "backbone": "efficientnet-b0"}


def _high_res_net(task: Task) -> dict[str, Any]:
    return {**task.common, "norm_type": ["instance", {"affine": True}]}


def _mednext(task: Task) -> dict[str, Any]:
    task.require(16)
    return {**task.common, "init_filters": 32, "kernel_size": 3, "use_residual_connection": True, "deep_supervision": True}


def _segresnet(task: Task) -> dict[str, Any]:
    task.require(8)
    return {**task.common, "init_filters": 16}


def _segresnet_ds(task: Task) -> dict[str, Any]:
    task.require(8)
    return {**task.common, "init_filters": 32, "norm": "instance", "dsdepth": 3}


def _swin_unetr(task: Task) -> dict[str, Any]:
    task.require(32)
    return {**task.common, "feature_size": 24}


def _unetr(task: Task) -> dict[str, Any]:
    task.require(16)
    return {**task.common, "img_size": list(task.window), "feature_size": 16, "hidden_size": 384, "mlp_dim": 1536, "num_heads": 6}


def _vnet(task: Task) -> dict[str, Any]:
    task.require(16)
    return dict(task.common)


def _dints(task: Task) -> dict[str, Any]:
    """Without a search: every path of a lattice of three depths, each a convolution of 3 voxels."""
    task.require(8)
    depths, blocks = 3, 4
    paths = 3 * depths - 2
    space = {"channel_mul": 0.5, "num_blocks": blocks, "num_depths": depths, "use_downsample": True, "spatial_dims": len(task.window)}
    return {
        "spatial_dims": len(task.window),
        "in_channels": task.channels,
        "num_classes": task.labels,
        "use_downsample": True,
        "node_a": [[1] * depths] * (blocks + 1),
        "dints_space": {**space, "arch_code": [[[1] * paths] * blocks] * 2},
    }


def _slice_by_slice(
    task: Task, slice_axis: int | None = None, context: int = 0, network: str = "DynUNet", kwargs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Slices lie across the axis with the thickest voxels, or across the one with the fewest of them where all are alike."""
    if slice_axis is None:
        thickness = [side or 1.0 for side in task.spacing_mm]
        slice_axis = max(range(len(task.window)), key=lambda axis: (thickness[axis], -task.window[axis], axis))
    window, spacing = ([side for axis, side in enumerate(sides) if axis != slice_axis] for sides in (task.window, task.spacing_mm))
    channels = task.channels * (2 * context + 1)
    inner = completed_kwargs(network, kwargs or {}, channels=channels, labels=task.labels, window=window, spacing=spacing)
    return {"network": network, "kwargs": inner, "slice_axis": slice_axis, "context": context}


def _lists(entries: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(entry) for entry in entries]


PRESETS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "AttentionUnet": _attention_unet,
    "BasicUNet": _basic_unet,
    "BasicUNetPlusPlus": _basic_unet_plus_plus,
    "ChannelDropoutDynUNet": _channel_dropout_dynunet,
    "DiNTS": _dints,
    "DynUNet": _dynunet,
    "FlexibleUNet": _flexible_unet,
    "HeteroscedasticDynUNet": _dynunet,
    "HighResNet": _high_res_net,
    "MedNeXt": _mednext,
    "PlainConvUNet": _plain_conv_unet,
    "ResidualEncoderUNet": _residual_encoder_unet,
    "SegResNet": _segresnet,
    "SegResNetDS": _segresnet_ds,
    "SeparableUNet": _separable_unet,
    "SliceBySlice": _slice_by_slice,
    "SwinUNETR": _swin_unetr,
    "UNETR": _unetr,
    "UNet": _unet,
    "VNet": _vnet,
}
"""One for each name of `deepseg.networks.NETWORKS`."""
