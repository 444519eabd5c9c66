"""A small dataset in MSD layout whose two labels are plain to see, and a config that trains on it in seconds."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from deepseg.geometry import Geometry
from deepseg.io import write_label_map, write_volume
from deepseg.volume import Label, LabelMap, Volume

LABELS = (Label(1, "Front", (1.0, 0.0, 0.0)), Label(2, "Back", (0.0, 0.0, 1.0)))
SHIPPED_CONFIG = Path(__file__).parents[1] / "configs" / "hippocampus.yaml"


def write_case(folder: Path, name: str, seed: int) -> dict[str, str]:
    """A bright ball in noise, its front half label 1 and its back half label 2; returns its entry for dataset.json."""
    rng = np.random.default_rng(seed)
    shape = (20, 24, 18)
    at = np.indices(shape)
    center = np.array([10, 12, 9]) + rng.integers(-2, 3, 3)
    inside = sum((a - c) ** 2 for a, c in zip(at, center, strict=True)) < 36
    labels = np.where(inside, np.where(at[1] > center[1], 1, 2), 0).astype(np.uint8)
    image = rng.normal(0, 10, shape) + 100 * inside + 60 * (labels == 1)
    geometry = Geometry(shape, np.diag([1.0, 1.0, 1.0, 1.0]))
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_volume(Volume(image[np.newaxis].astype(np.float32), geometry), folder / "imagesTr" / f"{name}.nii.gz")
    write_label_map(LabelMap(labels, geometry, LABELS), folder / "labelsTr" / f"{name}.nii.gz")
    return {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}


@pytest.fixture(scope="session")
def write_ball() -> Callable[[Path, str, int], dict[str, str]]:
    return write_case


@pytest.fixture(scope="session")
def msd_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("msd")
    pairs = [write_case(folder, f"case_{n:02}", n) for n in range(10)]
    (folder / "dataset.json").write_text(json.dumps({"training": pairs}), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def small_config(tmp_path_factory) -> Path:
    """The shipped config with a small network, few epochs and a split of the small dataset."""
    folder = tmp_path_factory.mktemp("config")
    config = yaml.safe_load(SHIPPED_CONFIG.read_text(encoding="utf-8"))
    config["model"] |= {"id": "ball", "window": {"size": [24, 24, 24]}}
    config["model"]["network"]["kwargs"] |= {"filters": [8, 16, 16], "kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]}
    config["model"]["network"]["kwargs"] |= {"deep_supr_num": 1, "dropout": 0}
    # What many epochs need to learn from many images keeps few epochs from learning.
    config["augmentation"] = {"flip": {"left_right": 0.5}}
    config["training"] |= {"epochs": 12, "validate_every_epochs": 2, "workers": 0, "ema_decay": 0.9}
    config["optimizer"]["learning_rate"] = 0.01
    config["schedule"]["warmup_epochs"] = 1
    config["split"] = "split.json"
    names = [f"case_{n:02}" for n in range(10)]
    parts = {"train": names[:6], "validation": names[6:7], "calibrate": names[7:8], "test": names[8:]}
    (folder / "split.json").write_text(json.dumps({"parts": parts}), encoding="utf-8")
    path = folder / "ball.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path
