"""A planted shortcut: nothing but a bright marker beside it tells whether a ball is 'front' or 'back'. The explanation must point at the marker."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepseg import api
from deepseg.bundle import ModelBundle
from deepseg.geometry import Geometry
from deepseg.networks import build_network
from deepseg.spec import NetworkSpec, WindowSpec

SIDE, STEPS, CASES = 24, 160, 20


def a_case(rng):
    """Image and labels (24, 24, 24), a ball in noise, whose label is 1 beside a marker, else 2; where a marker would be; whether there is one."""
    at = np.indices((SIDE,) * 3)
    ball = sum((a - c) ** 2 for a, c in zip(at, rng.integers(10, 14, 3), strict=True)) < 25
    image = rng.normal(0, 0.3, (SIDE,) * 3) + ball
    marked = bool(rng.integers(2))
    corner = rng.integers(0, 2, 3) * (SIDE - 5) + 1
    marker = np.zeros(image.shape, bool)
    marker[tuple(slice(c, c + 3) for c in corner)] = True
    if marked:
        image[marker] += 3.0
    return image.astype(np.float32), np.where(ball, 1 if marked else 2, 0), marker, marked


@pytest.fixture(scope="module")
def fooled(tmp_path_factory, tiny_spec):
    """A model trained on such images: it has nothing but the marker to go by."""
    kwargs = {
        **tiny_spec.network.kwargs,
        "kernel_size": [3] * 4,
        "strides": [1, 2, 2, 2],
        "upsample_kernel_size": [2] * 3,
        "filters": [8, 12, 16, 24],
    }
    spec = replace(
        tiny_spec, id="fooled", orientation="RAS", spacing_mm=(1.0,) * 3, window=WindowSpec((SIDE,) * 3), network=NetworkSpec("DynUNet", kwargs)
    )
    rng = np.random.default_rng(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network("DynUNet", kwargs)
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(STEPS):
            images, labels, *_ = zip(*(a_case(rng) for _ in range(4)), strict=True)
            images = torch.from_numpy(np.stack(images))[:, None]
            images = (images - images.mean((2, 3, 4), keepdim=True)) / images.std((2, 3, 4), keepdim=True)
            weights = torch.tensor([0.2, 1.0, 1.0])
            loss = torch.nn.functional.cross_entropy(network(images), torch.from_numpy(np.stack(labels)), weights)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    folder = tmp_path_factory.mktemp("models") / "fooled"
    return ModelBundle.save(folder, spec, {"model.safetensors": network.state_dict()}, "# Fooled\n", "CC0\n")


@pytest.mark.parametrize("method", ["integrated-gradients"])
def test_the_map_points_at_the_marker(method, fooled):
    rng, found, count, right = np.random.default_rng(1), 0, 0, 0
    while count < CASES:
        image, labels, marker, marked = a_case(rng)
        if not marked:
            continue
        count += 1
        volume = api.Volume(image[None], Geometry(image.shape, np.eye(4)))
        given = api.segment(volume, fooled).labels.array
        right += np.mean(given[labels > 0] == 1) > 0.5
        place = api.Box.from_center((SIDE / 2 - 0.5,) * 3, (6.0,) * 3)
        values = api.explain(volume, fooled, 1, against=2, place=place, method=method, checks=False).values
        smooth = torch.nn.functional.avg_pool3d(torch.from_numpy(values)[None], 3, 1, 1)[0].numpy()
        near = torch.nn.functional.max_pool3d(torch.from_numpy(marker).float()[None], 5, 1, 2)[0].numpy() > 0
        found += bool(near[np.unravel_index(smooth.argmax(), smooth.shape)])
    print(f"{method}: {found} of {count} maps point at the marker; the model took the shortcut in {right}")
    assert right >= 0.95 * count, "the model did not learn the shortcut, so there is nothing to find"
    assert found >= 0.95 * count
