"""Bundles with the facts of configurations in MONAI's Model Zoo (version of October 2024), random weights, and an image for each.

What is changed: windows of the heavy networks are smaller, so that a test takes seconds (`window` beside `zoo_window`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepseg.geometry import Geometry
from deepseg.networks import build_network


def scale_range(low: float, high: float) -> dict[str, Any]:
    limits = {"a_min": low, "a_max": high, "b_min": 0, "b_max": 1}
    return {"_target_": "ScaleIntensityRanged", "keys": "@image_key", **limits, "clip": True}


def on_grid(spacing: Any) -> list[dict[str, Any]]:
    return [
        {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
        {"_target_": "Spacingd", "keys": "@image_key", "pixdim": spacing, "mode": "bilinear"},
    ]


@dataclass(frozen=True)
class ZooBundle:
    """One configuration.

    Attributes:
        network: `network_def`.
        preprocessing: what follows LoadImaged.
        inferer: without its window.
        window, zoo_window: the window tested here, and the Model Zoo's.
        output: activation, and the labels of the network's channels.
        shape, spacing, axes: the image; axes are columns of directions in RAS.
        values: mean and deviation of the image's intensities.
        built: arguments that MONAI's class takes today, where they are not those of `network`.
    """

    network: dict[str, Any]
    preprocessing: list[dict[str, Any]]
    zoo_window: list[int]
    activation: str
    channels: list[str]
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axes: list[list[float]]
    modality: str = "CT"
    inputs: tuple[str, ...] = ("image",)
    window: list[int] | None = None
    inferer: dict[str, Any] = field(default_factory=lambda: {"_target_": "SlidingWindowInferer", "overlap": 0.5})
    postprocessing: list[dict[str, Any]] = field(default_factory=lambda: [argmax()])
    extra: dict[str, Any] = field(default_factory=dict)
    reader: dict[str, Any] = field(default_factory=dict)
    yaml: bool = False
    gain: float = 1.5
    """How much larger than drawn the weights are, so that answers differ from place to place; a deep network enlarges rounding by it too."""

    def config(self) -> dict[str, Any]:
        """configs/inference.json, in the manner of the Model Zoo."""
        load = {"_target_": "LoadImaged", "keys": "@image_key", **self.reader}
        return {
            "imports": ["$import glob", "$import os"],
            "bundle_root": ".",
            "image_key": "image",
            "dataset_dir": "/workspace/data",
            "output_dir": "$@bundle_root + '/eval'",
            "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
            "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
            **self.extra,
            "network_def": self.network,
            "network": "$@network_def.to(@device)",
            "preprocessing": {"_target_": "Compose", "transforms": [load, *self.preprocessing]},
            "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in @datalist]", "transform": "@preprocessing"},
            "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False, "num_workers": 0},
            "inferer": {**self.inferer, "roi_size": self.window or self.zoo_window},
            "postprocessing": {"_target_": "Compose", "transforms": self.postprocessing},
            "evaluator": {
                "_target_": "SupervisedEvaluator",
                "device": "@device",
                "val_data_loader": "@dataloader",
                "network": "@network",
                "inferer": "@inferer",
                "postprocessing": "@postprocessing",
                "amp": True,
            },
            "checkpointloader": {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
            },
            "initialize": ["$setattr(torch.backends.cudnn, 'benchmark', True)", "$@checkpointloader(@evaluator)"],
            "run": ["$@evaluator.run()"],
        }

    def metadata(self, name: str) -> dict[str, Any]:
        image = {"type": "image", "modality": self.modality, "num_channels": len(self.inputs), "channel_def": dict(enumerate(self.inputs))}
        return {
            "version": "0.1.0",
            "name": name.replace("_", " "),
            "description": f"The facts of {name} with random weights.",
            "copyright": "Copyright (c) nobody",
            "references": ["A. Nobody. Random weights. 2026."],
            "intended_use": "For tests.",
            "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": {"channel_def": dict(enumerate(self.channels))}}},
        }

    def for_stock_monai(self, output: Path) -> dict[str, Any]:
        """Overrides: the processor, float32, today's arguments, and probabilities instead of labels."""
        network = {key: value for key, value in self.network.items() if key != "img_size"}
        activation = {"_target_": "Activationsd", "keys": "pred", self.activation: True}
        invert = {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image", "nearest_interp": False}
        save = {"_target_": "SaveImaged", "keys": "pred", "output_dir": str(output), "output_postfix": "p", "output_dtype": "$np.float32"}
        config = self.config()
        # Reading with ITK needs a package of its own; the default reader gives the same numbers.
        config["preprocessing"]["transforms"][0].pop("reader", None)
        changes = {
            "device": "$torch.device('cpu')",
            "network_def": network,
            "preprocessing": config["preprocessing"],
            "dataset": {**config["dataset"], "data": "@datalist"},
            "evaluator": {**config["evaluator"], "amp": False},
            "postprocessing": {"_target_": "Compose", "transforms": [activation, invert, {**save, "resample": False, "separate_folder": False}]},
        }
        if "arch_ckpt" in self.extra:
            changes["arch_ckpt"] = "$torch.load(@arch_ckpt_path, map_location='cpu', weights_only=False)"
            changes["dints_space"] = {**self.extra["dints_space"], "device": "cpu"}
        return changes

    def write(self, folder: Path) -> Path:
        """The bundle's folder, with weights drawn from one seed."""
        for part in ("configs", "models", "docs"):
            (folder / part).mkdir(parents=True)
        (folder / "LICENSE").write_text("Apache License\nVersion 2.0\n")
        (folder / "configs/metadata.json").write_text(json.dumps(self.metadata(folder.name)))
        if self.yaml:
            import yaml

            (folder / "configs/inference.yaml").write_text(yaml.safe_dump(self.config()))
        else:
            (folder / "configs/inference.json").write_text(json.dumps(self.config()))
        if "arch_ckpt" in self.extra:
            torch.save(ARCHITECTURE, folder / "models/search_code_18590.pt")
        with torch.random.fork_rng():
            torch.manual_seed(11)
            name, kwargs = self.built()
            state = build_network(name, kwargs).state_dict()
        model = {key: value * self.gain if value.is_floating_point() else value for key, value in state.items()}
        torch.save({"model": model}, folder / "models/model.pt")
        return folder

    def built(self) -> tuple[str, dict[str, Any]]:
        """Name and arguments for DeepSeg's registry, to draw weights."""
        name = self.network["_target_"].rpartition(".")[2]
        kwargs = {key: value for key, value in self.network.items() if key not in ("_target_", "img_size")}
        if name == "DiNTS":
            space = {key: self.extra["dints_space"][key] for key in ("channel_mul", "num_blocks", "num_depths", "use_downsample")}
            space["arch_code"] = [ARCHITECTURE[key].tolist() for key in ("arch_code_a", "arch_code_c")]
            kwargs |= {"in_channels": 1, "num_classes": len(self.channels), "node_a": ARCHITECTURE["node_a"].tolist(), "dints_space": space}
        return name, kwargs

    def geometry(self) -> Geometry:
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.axes, float) * self.spacing
        matrix[:3, 3] = (12.0, -30.0, 7.5)
        return Geometry(self.shape, matrix)

    def images(self) -> list[np.ndarray]:
        """One asymmetric image a channel, with noise; MR images are 0 outside an ellipsoid."""
        rng = np.random.default_rng(3)
        ras = self.geometry().ras_from_ijk(np.indices(self.shape).transpose(1, 2, 3, 0)) - self.geometry().center_ras
        size = np.abs(ras).max()
        images = []
        for n in range(len(self.inputs)):
            bright = np.exp(-((ras - size * np.array([0.2, 0.1 * n, -0.1])) ** 2).sum(-1) / (0.1 * size**2))
            image = 400 * bright - 150 * np.exp(-((ras + size * 0.3) ** 2).sum(-1) / (0.03 * size**2)) + rng.normal(20, 15, self.shape)
            images.append((image if self.modality == "CT" else np.where((ras**2).sum(-1) < (0.95 * size) ** 2, image + 300, 0)).astype(np.float32))
        return images


def softmax() -> dict[str, Any]:
    return {"_target_": "Activationsd", "keys": "pred", "softmax": True}


def argmax() -> dict[str, Any]:
    return {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}


def invert() -> dict[str, Any]:
    return {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "@image_key", "nearest_interp": False}


def save() -> dict[str, Any]:
    return {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"}


FIRST = {"_target_": "EnsureChannelFirstd", "keys": "@image_key"}
_rng = np.random.default_rng(18590)
_paths = np.zeros((12, 10))
_paths[:, [0, 3, 6]] = 1
_paths[::3, 2] = _paths[1::3, 4] = 1
ARCHITECTURE = {
    "arch_code_a": _paths,
    "arch_code_c": _rng.integers(0, 5, (12, 10)),
    "node_a": np.tile([1, 1, 1, 0], (13, 1)),
}
"""One of DiNTS' architectures, as its search stores it."""

STRAIGHT = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
FLIPPED = [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]
TURNED = [[0, 0, -1], [1, 0, 0], [0, -1, 0]]

ZOO: dict[str, ZooBundle] = {
    "spleen_ct_segmentation": ZooBundle(
        network={"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [16, 32, 64, 128, 256]}
        | {"strides": [2, 2, 2, 2], "num_res_units": 2, "norm": "batch"},
        preprocessing=[FIRST, *on_grid([1.5, 1.5, 2.0]), scale_range(-57, 164), {"_target_": "EnsureTyped", "keys": "@image_key"}],
        zoo_window=[96, 96, 96],
        activation="softmax",
        channels=["background", "spleen"],
        postprocessing=[softmax(), invert(), argmax(), save()],
        shape=(110, 90, 30),
        spacing=(1.4, 1.4, 5.0),
        axes=FLIPPED,
    ),
    "wholeBody_ct_segmentation": ZooBundle(
        network={"_target_": "SegResNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 105, "init_filters": 32}
        | {"blocks_down": [1, 2, 2, 4], "blocks_up": [1, 1, 1], "dropout_prob": 0.2},
        extra={
            "displayable_configs": {"highres": True, "sw_overlap": 0.25, "sw_batch_size": 1},
            "pixdim": "$[1.5, 1.5, 1.5] if @displayable_configs#highres else [3.0, 3.0, 3.0]",
        },
        preprocessing=[
            {"_target_": "EnsureTyped", "keys": "@image_key"},
            FIRST,
            *on_grid("@pixdim"),
            {"_target_": "NormalizeIntensityd", "keys": "@image_key", "nonzero": True},
            {"_target_": "ScaleIntensityd", "keys": "@image_key", "minv": -1.0, "maxv": 1.0},
        ],
        zoo_window=[96, 96, 96],
        window=[48, 48, 48],
        inferer={"_target_": "SlidingWindowInferer", "overlap": "@displayable_configs#sw_overlap", "padding_mode": "replicate", "mode": "gaussian"}
        | {"sw_batch_size": "@displayable_configs#sw_batch_size", "device": "$torch.device('cpu')"},
        activation="softmax",
        channels=["background", *(f"organ {n}" for n in range(1, 105))],
        postprocessing=[softmax(), argmax(), {**invert(), "nearest_interp": True}, save()],
        shape=(40, 56, 30),
        spacing=(1.2, 1.3, 2.0),
        axes=TURNED,
    ),
    "brats_mri_segmentation": ZooBundle(
        network={"_target_": "SegResNet", "blocks_down": [1, 2, 2, 4], "blocks_up": [1, 1, 1], "init_filters": 16, "in_channels": 4}
        | {"out_channels": 3, "dropout_prob": 0.2},
        reader={"image_only": False},
        preprocessing=[{"_target_": "NormalizeIntensityd", "keys": "@image_key", "nonzero": True, "channel_wise": True}],
        zoo_window=[240, 240, 160],
        window=[64, 64, 48],
        activation="sigmoid",
        modality="MR",
        inputs=("T1c", "T1", "T2", "FLAIR"),
        channels=["Tumor core", "Whole tumor", "Enhancing tumor"],
        postprocessing=[
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            invert(),
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
            {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: torch.where(x[[2]] > 0, 4, x[[0]])"},
            save(),
        ],
        shape=(70, 60, 40),
        spacing=(1.0, 1.0, 1.0),
        axes=FLIPPED,
    ),
    "prostate_mri_anatomy": ZooBundle(
        network={"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [16, 32, 64, 128, 256, 512]}
        | {"strides": [2, 2, 2, 2, 2], "num_res_units": 4, "norm": "batch", "act": "prelu", "dropout": 0.15},
        preprocessing=[
            FIRST,
            *on_grid([0.5, 0.5, 0.5]),
            {"_target_": "ScaleIntensityd", "keys": "@image_key", "minv": 0, "maxv": 1},
            {"_target_": "NormalizeIntensityd", "keys": "@image_key"},
            {"_target_": "EnsureTyped", "keys": "@image_key"},
        ],
        zoo_window=[96, 96, 96],
        activation="softmax",
        modality="MR",
        channels=["background", "central gland", "peripheral zone"],
        postprocessing=[
            argmax(),
            {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 2]},
            invert(),
            save(),
        ],
        shape=(90, 84, 14),
        spacing=(0.55, 0.55, 3.0),
        axes=FLIPPED,
    ),
    "pancreas_ct_dints_segmentation": ZooBundle(
        network={"_target_": "monai.networks.nets.DiNTS", "dints_space": "@dints_space", "in_channels": "@input_channels"}
        | {"num_classes": "@output_classes", "use_downsample": True, "node_a": "$torch.from_numpy(@arch_ckpt['node_a'])"},
        extra={
            "input_channels": 1,
            "output_classes": 3,
            "arch_ckpt_path": "$@bundle_root + '/models/search_code_18590.pt'",
            "arch_ckpt": "$torch.load(@arch_ckpt_path, map_location=torch.device('cuda'))",
            "dints_space": {
                "_target_": "monai.networks.nets.TopologyInstance",
                "channel_mul": 1,
                "num_blocks": 12,
                "num_depths": 4,
                "use_downsample": True,
                "arch_code": ["$@arch_ckpt['arch_code_a']", "$@arch_ckpt['arch_code_c']"],
                "device": "$torch.device('cuda')",
            },
        },
        preprocessing=[FIRST, *on_grid([1, 1, 1]), scale_range(-87, 199), {"_target_": "EnsureTyped", "keys": "@image_key"}],
        zoo_window=[96, 96, 96],
        window=[32, 32, 32],
        inferer={"_target_": "SlidingWindowInferer", "overlap": 0.625, "sw_batch_size": 4},
        activation="softmax",
        channels=["background", "pancreas", "pancreatic tumor"],
        postprocessing=[softmax(), invert(), argmax(), save()],
        shape=(44, 40, 14),
        spacing=(0.8, 0.8, 2.5),
        axes=FLIPPED,
        yaml=True,
    ),
    "swin_unetr_btcv_segmentation": ZooBundle(
        network={"_target_": "SwinUNETR", "spatial_dims": 3, "img_size": 96, "in_channels": 1, "out_channels": 14, "feature_size": 48}
        | {"use_checkpoint": False},
        reader={"reader": "ITKReader"},
        preprocessing=[FIRST, *on_grid([1.5, 1.5, 2.0]), scale_range(-175, 250), {"_target_": "EnsureTyped", "keys": "@image_key"}],
        zoo_window=[96, 96, 96],
        window=[64, 64, 64],
        activation="softmax",
        channels=["background", *(f"organ {n}" for n in range(1, 14))],
        postprocessing=[softmax(), invert(), argmax(), save()],
        shape=(50, 24, 58),
        spacing=(1.8, 4.0, 1.6),
        axes=TURNED,
        gain=1.0,
    ),
    "ventricular_short_axis_3label": ZooBundle(
        network={"_target_": "UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 4, "channels": [16, 32, 64, 128, 256]}
        | {"strides": [2, 2, 2, 2], "num_res_units": 2},
        reader={"image_only": False},
        preprocessing=[FIRST, {"_target_": "ScaleIntensityd", "keys": "@image_key"}],
        zoo_window=[256, 256],
        inferer={"_target_": "SliceInferer", "spatial_dim": 2},
        activation="softmax",
        modality="MR",
        channels=["background", "lv_pool", "myocardium", "rv_pool"],
        postprocessing=[softmax(), invert(), argmax(), save()],
        shape=(210, 270, 5),
        spacing=(1.3, 1.3, 9.0),
        axes=FLIPPED,
    ),
}
