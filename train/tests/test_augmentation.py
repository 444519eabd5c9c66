"""Geometry hits image and label alike; intensity changes leave the label alone."""

import dataclasses

import numpy as np
import pytest
import torch

from deepseg_train.augmentation import training_transform
from deepseg_train.config import load_config

from .conftest import SHIPPED_CONFIG

PATCH = (40, 48, 32)


@pytest.fixture
def settings():
    return load_config(SHIPPED_CONFIG).augmentation


@pytest.fixture
def phantom() -> dict[str, torch.Tensor]:
    """An image that is its own label: a ball off the middle."""
    at = np.indices(PATCH)
    ball = sum((a - c) ** 2 for a, c in zip(at, (14, 28, 18), strict=True)) < 64
    return {"image": torch.from_numpy(ball[np.newaxis].astype(np.float32)), "label": torch.from_numpy(ball[np.newaxis].astype(np.uint8))}


def without_intensity(settings):
    off = {name: {**getattr(settings, name), "probability": 0.0} for name in ("blur", "low_resolution", "bias_field", "gamma", "intensity", "noise")}
    return dataclasses.replace(settings, **off)


def test_geometry_moves_image_and_label_together(settings, phantom):
    transform = training_transform(without_intensity(settings), PATCH).set_random_state(0)
    moved = 0
    for _ in range(20):
        changed = transform(phantom)
        image, label = np.asarray(changed["image"])[0] > 0.5, np.asarray(changed["label"])[0] > 0.5
        overlap = 2 * (image & label).sum() / (image.sum() + label.sum())
        assert overlap > 0.93  # bilinear and nearest differ on the surface only
        moved += int((label != phantom["label"][0].numpy().astype(bool)).sum() > 200)
    assert moved >= 15


def test_left_and_right_are_swapped_about_half_of_the_time(settings, phantom):
    still = dataclasses.replace(without_intensity(settings), affine={**settings.affine, "probability": 0.0})
    transform = training_transform(still, PATCH).set_random_state(0)
    mirrored = phantom["label"].flip(1)
    flips = [bool((torch.as_tensor(transform(phantom)["label"]).byte() == mirrored).all()) for _ in range(60)]
    assert 15 < sum(flips) < 45


def test_intensity_changes_leave_the_label_alone(settings, phantom):
    only_intensity = dataclasses.replace(settings, flip_left_right=0.0, affine={**settings.affine, "probability": 0.0})
    transform = training_transform(only_intensity, PATCH).set_random_state(0)
    changed = [transform(phantom) for _ in range(20)]
    assert all((torch.as_tensor(c["label"]).byte() == phantom["label"]).all() for c in changed)
    assert sum(float((torch.as_tensor(c["image"]) - phantom["image"]).abs().max()) > 0.01 for c in changed) > 10
