"""The golden file: an asymmetric phantom and what a model must answer to it, so that a change anywhere on the road is noticed."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError
from deepseg.geometry import Geometry
from deepseg.prediction import predict
from deepseg.volume import Volume

GOLDEN_FILE = "models/golden.npz"
TOLERANCE = 1e-3
"""Largest difference of a probability that still counts as the same: processors round sums differently, a damaged weight changes far more."""


def phantom(channel_count: int) -> Volume:
    """Random blobs (one fixed seed), brighter towards one corner, on an oblique left-handed grid of unequal spacing."""
    shape = (26, 34, 22)
    rng = np.random.default_rng(20260101)
    at = np.indices(shape).transpose(1, 2, 3, 0).astype(np.float64)
    ramp = at @ (0.2, 0.5, 0.9)
    channels = []
    for _ in range(channel_count):
        channel = ramp.copy()
        for _ in range(40):
            center, width, height = rng.uniform(0, shape), rng.uniform(2, 6), rng.uniform(-40, 40)
            channel += height * np.exp(-((at - center) ** 2).sum(-1) / (2 * width**2))
        channels.append(channel)
    angle = np.deg2rad(12.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    matrix = np.eye(4)
    # Axis I runs inferior, J to the left, K anterior, each a little turned.
    matrix[:3, :3] = turn @ np.array([[0, -1.0, 0], [0, 0, 1.0], [-1.0, 0, 0]]) * (1.3, 0.9, 1.6)
    matrix[:3, 3] = (21.0, -37.0, 53.0)
    return Volume(np.stack(channels).astype(np.float32), Geometry(shape, matrix), ("a.u.",) * channel_count, "golden phantom")


def write_golden(bundle: ModelBundle, path: Path) -> None:
    """Store the phantom and the model's probabilities for it."""
    volume = phantom(len(bundle.spec.inputs))
    probabilities = predict(volume, bundle).probabilities
    np.savez_compressed(path, image=volume.array, ijk_to_ras=volume.geometry.ijk_to_ras, probabilities=probabilities)


def golden_case(bundle: ModelBundle) -> tuple[Volume, np.ndarray]:
    """A model's stored phantom and the probabilities (L, I, J, K) it gave when it was written.

    Raises:
        ModelError: the golden file is missing or damaged.
    """
    path = bundle.folder / GOLDEN_FILE
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            image, matrix, expected = stored["image"], stored["ijk_to_ras"], stored["probabilities"]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"The model {bundle.folder} has no readable golden file {GOLDEN_FILE}: {error}. Get the model again.") from error
    return Volume(image, Geometry(image.shape[1:], matrix), tuple(item.unit for item in bundle.spec.inputs), "golden phantom"), expected


def check_golden(bundle: ModelBundle) -> float:
    """Run the model on its stored phantom; returns the largest difference of a probability.

    Raises:
        ModelError: the golden file is missing or damaged, or the answer differs by more than `TOLERANCE`.
    """
    volume, expected = golden_case(bundle)
    answer = predict(volume, bundle).probabilities
    if answer.shape != expected.shape:
        raise ModelError(f"The golden file of the model {bundle.folder} is of another model: its probabilities have shape {expected.shape}.")
    difference = float(np.abs(answer - expected).max())
    if not difference <= TOLERANCE:
        raise ModelError(
            f"The model {bundle.folder} does not reproduce its golden file: probabilities differ by {difference:.2g}, allowed {TOLERANCE:g}. "
            "The model or this installation is damaged."
        )
    return difference
