"""Workers with folders of their own, short and long runs, and a model that needs no MONAI, so that a worker is soon ready."""

from __future__ import annotations

import tempfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from deepseg.bundle import ModelBundle
from deepseg.geometry import Geometry
from deepseg.job_folder import Job
from deepseg.networks import build_network
from deepseg.spec import NetworkSpec
from deepseg.volume import Volume
from faults.workers import Workers


@pytest.fixture(scope="session")
def quick_bundle(tmp_path_factory, tiny_spec):
    """The tiny model with another network."""
    kwargs = {
        "input_channels": 1,
        "num_classes": 3,
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_op": "Conv3d",
        "conv_bias": True,
        "norm_op": "InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    with torch.random.fork_rng():
        torch.manual_seed(7)
        weights = build_network("PlainConvUNet", kwargs).state_dict()
    spec = replace(tiny_spec, id="quick", network=NetworkSpec("PlainConvUNet", kwargs))
    folder = tmp_path_factory.mktemp("models") / "quick"
    return ModelBundle.save(folder, spec, {"model.safetensors": weights}, "# Quick\n", "CC0\n")


def noise(shape, matrix, name):
    array = np.random.default_rng(3).normal(100, 20, (1, *shape)).astype(np.float32)
    return Volume(array, Geometry(shape, matrix), ("a.u.",), name)


@pytest.fixture
def a_short_job(quick_bundle):
    matrix = np.diag([1.5, -1.2, 2.0, 1.0])
    matrix[:3, 3] = (-20.1, 30.2, 7.0)
    return Job(noise((20, 24, 16), matrix, "noise"), quick_bundle.folder)


@pytest.fixture
def a_long_job(quick_bundle):
    return Job(noise((200, 200, 200), np.diag([1.5, 1.5, 1.5, 1.0]), "big noise"), quick_bundle.folder)


@pytest.fixture
def workers(tmp_path, monkeypatch):
    """A pool whose folders lie in two places that nobody else uses."""
    places = [tmp_path / "shared", tmp_path / "temporary"]
    for place in places:
        place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(places[1]))
    workers = Workers(*places)
    yield workers
    workers.pool.close()
    for process in workers.processes:
        process.kill()
        process.wait()
