"""Results folders in the form nnU-Net leaves them, with a tiny network of random weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

PLANS: dict[str, Any] = {
    "dataset_name": "Dataset123_Two_Parts",
    "plans_name": "nnUNetPlans",
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {
        "0": {"mean": 30.0, "std": 12.5, "percentile_00_5": -50.0, "percentile_99_5": 90.0, "median": 31.0, "min": -400.0, "max": 500.0}
    },
    "configurations": {
        "3d_fullres": {
            "data_identifier": "nnUNetPlans_3d_fullres",
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2,
            "patch_size": [8, 16, 16],
            "spacing": [3.0, 2.0, 2.5],
            "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [False],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                "arch_kwargs": {
                    "n_stages": 2,
                    "features_per_stage": [4, 6],
                    "conv_op": "torch.nn.modules.conv.Conv3d",
                    "kernel_sizes": [[1, 3, 3], [3, 3, 3]],
                    "strides": [[1, 1, 1], [1, 2, 2]],
                    "n_conv_per_stage": [1, 2],
                    "n_conv_per_stage_decoder": [1],
                    "conv_bias": True,
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                    "dropout_op": None,
                    "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU",
                    "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        },
        "3d_lowres": {"inherits_from": "3d_fullres", "spacing": [4.0, 4.0, 4.0], "next_stage": "3d_cascade_fullres"},
        "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
    },
}
DATASET: dict[str, Any] = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "Front": 1, "Back": 2},
    "numTraining": 20,
    "file_ending": ".nii.gz",
    "licence": "CC-BY-SA 4.0",
}


def changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with other values at the ends of paths such as 'configurations/3d_fullres/spacing'; ... takes an entry away."""
    content = copy.deepcopy(content)
    for path, value in changes.items():
        *parents, last = path.split("/")
        inner = content
        for key in parents:
            inner = inner[key]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return content


def their_network(configuration: dict[str, Any], channels: int, classes: int) -> torch.nn.Module:
    """nnU-Net's own network for a configuration, with random weights that answer differently from place to place."""
    from dynamic_network_architectures.architectures import unet

    described = configuration["architecture"]
    arguments = dict(described["arch_kwargs"])
    for key in described["_kw_requires_import"]:
        arguments[key] = getattr(torch.nn, arguments[key].rpartition(".")[2]) if arguments[key] else None
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = getattr(unet, described["network_class_name"].rpartition(".")[2])(input_channels=channels, num_classes=classes, **arguments)
        for tensor in network.parameters():
            tensor.data = torch.randn_like(tensor)
    return network


def write_checkpoint(path: Path, network: torch.nn.Module, **changes: Any) -> None:
    """A checkpoint with all that nnU-Net 2.8 puts into it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = np.float32(0.5)
    content = {
        "network_weights": network.state_dict(),
        "optimizer_state": torch.optim.SGD(network.parameters(), 0.01, momentum=0.99).state_dict(),
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [number], "dice_per_class_or_region": [[number, np.float64(0.25)]], "lrs": [0.01]},
        "_best_ema": number,
        "current_epoch": 1,
        "init_args": {"plans": PLANS, "configuration": "3d_fullres", "fold": 0, "dataset_json": DATASET, "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 2),
    }
    torch.save(changed(content, changes), path)


def write_folder(
    folder: Path, plans: dict[str, Any] = PLANS, dataset: dict[str, Any] = DATASET, folds: tuple[str, ...] = ("0",), **changes: Any
) -> Path:
    """A whole results folder; `changes` are those of the checkpoints."""
    folder.mkdir()
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for fold in folds:
        write_checkpoint(folder / f"fold_{fold}" / "checkpoint_final.pth", their_network(PLANS["configurations"]["3d_fullres"], 1, 3), **changes)
    return folder
