"""A bundle of MONAI with a small network, to be changed in any part."""

import json
from pathlib import Path

import torch

from deepseg.networks import build_network
from zoo_bundles import argmax, invert, softmax

NETWORK = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8, 8], "strides": [2, 2], "num_res_units": 1}


def image(name, **arguments):
    return {"_target_": name, "keys": "image", **arguments}


def pred(name, **arguments):
    return {"_target_": name, "keys": "pred", **arguments}


CONFIG = {
    "bundle_root": "/somewhere/else",
    "network_def": {"_target_": "UNet", **NETWORK},
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [image("LoadImaged"), image("EnsureChannelFirstd"), image("Orientationd", axcodes="LPS"), image("ScaleIntensityd")],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 8]},
    "postprocessing": {"_target_": "Compose", "transforms": [softmax(), invert(), argmax()]},
    "checkpointloader": {"_target_": "CheckpointLoader", "load_path": "$@bundle_root + '/models/model.pt'", "load_dict": {"model": "@network"}},
}
METADATA = {
    "name": "Test bundle",
    "version": "0.2.0",
    "description": "Two things.",
    "copyright": "Copyright (c) somebody",
    "references": ["First.", "Second."],
    "intended_use": "An example.",
    "network_data_format": {
        "inputs": {"image": {"modality": "CT", "format": "hounsfield", "num_channels": 1, "channel_def": {"0": "image"}}},
        "outputs": {"pred": {"channel_def": {"0": "background", "1": "spleen", "2": "liver"}}},
    },
}


def write_bundle(folder: Path, metadata=METADATA, state=None, **changes) -> Path:
    """Write one with changes to its config and metadata, and the weights `state`, or random ones."""
    for part in ("configs", "models", "docs"):
        (folder / part).mkdir(parents=True)
    (folder / "configs/inference.json").write_text(json.dumps({**CONFIG, **changes}))
    (folder / "configs/metadata.json").write_text(json.dumps(metadata))
    (folder / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n")
    (folder / "docs/data_license.txt").write_text("Data: CC-BY.\n")
    torch.save({"model": build_network("UNet", NETWORK).state_dict()} if state is None else state, folder / "models/model.pt")
    return folder


def preprocessing(*transforms):
    return {"_target_": "Compose", "transforms": [image("LoadImaged"), *transforms]}


def postprocessing(*transforms):
    return {"_target_": "Compose", "transforms": list(transforms)}


LAMBDA = pred("Lambdad", func="$lambda x: torch.where(x[[2]] > 0, 4, x[[0]])")
