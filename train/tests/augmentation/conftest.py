"""Settings with nothing on, and an asymmetric phantom whose image tells its labels."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from deepseg_train.augmentation import AugmentationSettings, PatchGrid

SIZE = (30, 36, 26)


def everything_off() -> AugmentationSettings:
    settings = AugmentationSettings(oversample_foreground=0.0)
    sections = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return replace(settings, **{name: replace(part, probability=0.0) for name, part in sections.items() if hasattr(part, "probability")})


@pytest.fixture
def off() -> AugmentationSettings:
    return everything_off()


@pytest.fixture
def grid() -> PatchGrid:
    return PatchGrid(SIZE)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def phantom() -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth image (1, I, J, K) larger than the patch, without any symmetry; label 1 where it is above 0.4, 2 where it is above 0.7."""
    at = np.indices((38, 44, 34)).astype(np.float64)
    blobs = (((14, 26, 15), (6, 11, 5)), ((24, 14, 21), (4, 6, 8)), ((22, 30, 10), (7, 4, 5)))
    image = np.zeros(at.shape[1:])
    for center, width in blobs:
        image += np.exp(-0.5 * sum(((a - c) / w) ** 2 for a, c, w in zip(at, center, width, strict=True)))
    label = (image > 0.4).astype(np.uint8) + (image > 0.7)
    return torch.from_numpy(image[np.newaxis].astype(np.float32)), torch.from_numpy(label[np.newaxis].astype(np.uint8))


@pytest.fixture
def a_channel(rng) -> torch.Tensor:
    """An image of one channel, smooth and noisy at once, that no axis or face of can be mistaken for another: (24, 30, 20)."""
    at = np.indices((24, 30, 20))
    smooth = np.sin(at[0] / 5) + np.cos(at[1] / 7 + at[2] / 3)
    return torch.from_numpy((smooth + 0.1 * rng.standard_normal(smooth.shape)).astype(np.float32))
