"""Which network nnU-Net's plans and trainer ask for."""

from __future__ import annotations

import re
from typing import Any

from deepseg.errors import ModelError
from deepseg.networks.unet_parts import LAYERS
from deepseg.spec import NetworkSpec

_COUNTS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}
"""The networks, and what the number of convolutions or blocks of a stage is called."""

_KNOWN = {
    *("n_stages", "features_per_stage", "conv_op", "kernel_sizes", "strides", "n_conv_per_stage_decoder", "conv_bias"),
    *("norm_op", "norm_op_kwargs", "dropout_op", "dropout_op_kwargs", "nonlin", "nonlin_kwargs"),
}
_OWN = {"PlainConvUNet": {"nonlin_first"}, "ResidualEncoderUNet": {"stem_channels"}}
_LAYER_SETTINGS = {"norm_op", "dropout_op", "nonlin"}

_BATCH_NORM_TRAINER = "nnUNetTrainerBN"
"""The one trainer of nnU-Net that changes the network of the plans and is still one of the two."""

_TRAINERS = re.compile(
    r"nnUNetTrainer(|BN|NoDeepSupervision|NoMirroring|NoDA"
    r"|_?\d+epochs?(_NoMirroring)?|Benchmark_5epochs(_noDataLoading)?"
    r"|(Vanilla)?Adam(1en3|3en4)?|Adan(1en1|1en3|3en4|CosAnneal)?|CosAnneal|_warmup"
    r"|(CE|Dice)Loss|CELoss_5epochs|DiceCELoss_noSmooth|DiceTopK10Loss|Topk10Loss(LS01)?"
    r"|DA5|DA5Segord0|DA5ord0|DA5_10epochs|_DASegOrd0(_NoMirroring)?|_noDummy2DDA"
    r"|_onlyMirror01(_1500ep|_DA5|_DASegOrd0)?|_probabilisticOversampling(_010|_033)?)"
)
"""nnU-Net's own trainers whose network is that of the plans. Another trainer may have built any network it liked."""


def network_of(configuration: dict[str, Any], trainer: str, input_channels: int, num_classes: int) -> NetworkSpec:
    """The network of a configuration of plans.json, in the form of today's nnU-Net or of its first releases.

    Raises:
        ModelError: the trainer is unknown, or the plans ask for a network or a layer that DeepSeg does not build.
    """
    if not _TRAINERS.fullmatch(trainer):
        raise ModelError(
            f"The model was trained by '{trainer}', which is not a trainer of nnU-Net that DeepSeg knows; it may have changed the network, "
            "so the model cannot be imported."
        )
    name, settings = _described(configuration)
    allowed = _KNOWN | _OWN[name] | {_COUNTS[name]}
    if unknown := sorted(key for key in settings.keys() - allowed if settings[key] not in (None, False)):
        raise ModelError(f"plans.json sets '{unknown[0]}' for the network {name}; DeepSeg does not build that.")
    settings = {key: value for key, value in settings.items() if key in allowed and value is not None}
    for key in ("conv_op", *(_LAYER_SETTINGS & settings.keys())):
        settings[key] = _layer(key, settings.get(key))
    if trainer == _BATCH_NORM_TRAINER:
        settings["norm_op"] = settings["conv_op"].replace("Conv", "BatchNorm")
        settings["norm_op_kwargs"] = {"eps": 1e-5, "affine": True}
    return NetworkSpec(name, {"input_channels": input_channels, "num_classes": num_classes, **settings})


def _described(configuration: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and settings of the network."""
    if "architecture" not in configuration:
        return _described_by_first_releases(configuration)
    path, settings = (configuration["architecture"].get(key) for key in ("network_class_name", "arch_kwargs"))
    name = str(path).rpartition(".")[2]
    if name not in _COUNTS or not str(path).startswith("dynamic_network_architectures.") or not isinstance(settings, dict):
        raise ModelError(f"plans.json asks for the network '{path}'; DeepSeg imports nnU-Net's {' and '.join(_COUNTS)}.")
    return name, settings


def _described_by_first_releases(configuration: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """nnU-Net up to 2.3 named only what differed between plans; the rest was always the same."""
    name = configuration.get("UNet_class_name")
    if name not in _COUNTS:
        raise ModelError(f"plans.json asks for the network '{name}'; DeepSeg imports nnU-Net's {' and '.join(_COUNTS)}.")
    wanted = ("n_conv_per_stage_encoder", "n_conv_per_stage_decoder", "UNet_base_num_features", "unet_max_num_features")
    if missing := [key for key in (*wanted, "conv_kernel_sizes", "pool_op_kernel_sizes", "patch_size") if key not in configuration]:
        raise ModelError(f"plans.json lacks '{missing[0]}', without which the network {name} is not known.")
    counts, decoder_counts, features, most = (configuration[key] for key in wanted)
    dimensions = len(configuration["patch_size"])
    return name, {
        "n_stages": len(counts),
        "features_per_stage": [min(features * 2**n, most) for n in range(len(counts))],
        "conv_op": f"torch.nn.Conv{dimensions}d",
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": configuration["pool_op_kernel_sizes"],
        _COUNTS[name]: counts,
        "n_conv_per_stage_decoder": decoder_counts,
        "conv_bias": True,
        "norm_op": f"torch.nn.InstanceNorm{dimensions}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _layer(key: str, path: Any) -> str:
    """PyTorch's name of a layer's class."""
    found = re.fullmatch(r"torch\.nn\.(?:modules\.\w+\.)?(\w+)", str(path))
    if not found or found[1] not in LAYERS:
        raise ModelError(f"plans.json asks for '{path}' as the network's {key}; DeepSeg builds networks of {', '.join(LAYERS)}.")
    return found[1]
