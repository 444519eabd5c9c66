"""Volumes to measure on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from deepseg.geometry import Geometry
from deepseg.io import read_volume
from deepseg.volume import Volume


def data_folder() -> Path | None:
    """Real images: DEEPSEG_DATA, else ../shared/data beside the repository; None where there are none."""
    named = os.environ.get("DEEPSEG_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    return folder if folder.is_dir() else None


def ct_like(shape: tuple[int, int, int], air: float = 0.0) -> Volume:
    """Soft tissue with organs, bones and noise, in HU, 1 mm; the first `air` of it along the first axis is -1000 HU."""
    rng = np.random.default_rng(1)
    array = rng.normal(40, 15, shape).astype(np.float32)
    at = [np.arange(n, dtype=np.float32) for n in shape]
    for _ in range(60):
        middle, radius, value = rng.uniform(0, shape), rng.uniform(8, 30), rng.choice([-80.0, 60.0, 120.0, 700.0])
        low = [max(int(m - radius), 0) for m in middle]
        high = [min(int(m + radius) + 1, n) for m, n in zip(middle, shape, strict=True)]
        part = np.ix_(*(axis[a:b] for axis, a, b in zip(at, low, high, strict=True)))
        inside = sum((axis - m) ** 2 for axis, m in zip(part, middle, strict=True)) < radius**2
        array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += value * inside
    array[: round(air * shape[0])] = -1000.0
    return Volume(array[None], Geometry(shape, np.eye(4)), ("a.u.",), "CT-like")


def mosaic(shape: tuple[int, int, int]) -> Volume | None:
    """Real MR crops around hippocampi, each scaled to mean 0 and deviation 1, side by side without gaps; None without real data."""
    folder = data_folder()
    cases = sorted((folder / "msd_hippocampus" / "imagesTr").glob("*.nii.gz")) if folder else []
    if not cases:
        return None
    array, n = np.empty(shape, np.float32), 0
    tile = (32, 46, 30)
    for i in range(0, shape[0], tile[0]):
        for j in range(0, shape[1], tile[1]):
            for k in range(0, shape[2], tile[2]):
                crop = read_volume(cases[n % len(cases)]).array[0]
                n += 1
                crop = (crop - crop.mean()) / crop.std()
                place = array[i : i + tile[0], j : j + tile[1], k : k + tile[2]]
                # A crop smaller than its place is continued by its mirror image.
                short = [(0, max(want - have, 0)) for want, have in zip(place.shape, crop.shape, strict=True)]
                place[...] = np.pad(crop, short, mode="reflect")[: place.shape[0], : place.shape[1], : place.shape[2]]
    return Volume(array[None], Geometry(shape, np.eye(4)), ("a.u.",), "mosaic of hippocampi")
