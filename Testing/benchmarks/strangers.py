"""Images that a model of the hippocampus in MR should not be trusted on: other organs, other contrasts, other places, and nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nilearn
import numpy as np
import torch
from volumes import data_folder

from deepseg import api

_BOX_MM = (36.0, 50.0, 36.0)
_TEMPLATE = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
_HIPPOCAMPI = ((26.0, -21.0, -13.0), (-26.0, -21.0, -13.0))
"""RAS of their middles in the template."""
_OFF_MM = 30.0
"""How far the middle of a box in the head is from either hippocampus at least."""


def strangers(seed: int = 0) -> Iterator[tuple[str, api.Volume]]:
    """Kind and volume of each."""
    rng = np.random.default_rng(seed)
    torso = data_folder() / "ct_torso"
    ct, mr = api.read_volume(torso / "example_ct.nii.gz"), api.read_volume(torso / "example_mr_sm.nii.gz")
    for kind, volume, count in (("CT of the torso", ct, 15), ("MR of the torso", mr, 15)):
        for box in _boxes(volume, count, rng):
            yield kind, box
            yield f"{kind}, resampled to 1 mm", _at_one_millimetre(box)
    head = api.read_volume(Path(nilearn.__file__).parent / "datasets" / "data" / _TEMPLATE)
    for box in _boxes(head, 30, rng, lambda middle: all(np.linalg.norm(middle - np.array(one)) > _OFF_MM for one in _HIPPOCAMPI)):
        yield "head in MR, off target", box
    yield "whole head in MR", head
    grid = api.Geometry((36, 50, 36), np.diag([1.0, 1.0, 1.0, 1.0]))
    for _ in range(15):
        yield "noise", api.Volume(rng.normal(100, 20, (1, *grid.shape)).astype(np.float32), grid)
    places = np.indices(grid.shape)
    for _ in range(15):
        middle, radius = rng.uniform(12, 24, 3), rng.uniform(5, 14, 3)
        inside = (((places - middle[:, None, None, None]) / radius[:, None, None, None]) ** 2).sum(0) < 1
        yield "phantoms", api.Volume((100.0 * inside + rng.normal(20, 2, grid.shape)).astype(np.float32)[None], grid)


def _boxes(volume: api.Volume, count: int, rng: np.random.Generator, wanted: object = None) -> Iterator[api.Volume]:
    """Boxes of the size of the model's, which hold something."""
    size = np.minimum(np.round(np.array(_BOX_MM) / volume.geometry.spacing_mm).astype(int), volume.geometry.shape)
    found = 0
    while found < count:
        start = tuple(int(rng.integers(0, n - s + 1)) for n, s in zip(volume.geometry.shape, size, strict=True))
        geometry = volume.geometry.cropped(start, tuple(map(int, size)))
        array = volume.array[(slice(None), *(slice(a, a + s) for a, s in zip(start, size, strict=True)))]
        middle = np.array(geometry.center_ras)
        if np.median(array) == np.percentile(array, 2) or (wanted and not wanted(middle)):
            continue
        found += 1
        yield api.Volume(np.ascontiguousarray(array), geometry)


def _at_one_millimetre(box: api.Volume) -> api.Volume:
    """As someone would send it who brings every image to the model's voxel size first."""
    shape = tuple(round(n * s) for n, s in zip(box.geometry.shape, box.geometry.spacing_mm, strict=True))
    array = torch.nn.functional.interpolate(torch.from_numpy(box.array[None].astype(np.float32)), shape, mode="trilinear", align_corners=False)
    return api.Volume(array[0].numpy(), api.Geometry(shape, np.diag([1.0, 1.0, 1.0, 1.0])))
