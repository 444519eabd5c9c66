"""What a run computes on, what it is thought to take, and what happens when memory runs out."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from deepseg import api, devices, networks
from deepseg.bundle import ModelBundle
from deepseg.cost import estimate
from deepseg.devices import available_devices, free_bytes, held_bytes, plans
from deepseg.errors import MemoryLimitError
from deepseg.geometry import Geometry
from deepseg.golden import phantom
from deepseg.spec import NetworkSpec, WindowSpec


class Greedy(torch.nn.Module):
    """A network that takes at most some windows at a time."""

    def __init__(self, at_most):
        super().__init__()
        self.at_most = at_most
        self.layer = torch.nn.Conv3d(1, 3, 3, padding=1)
        torch.nn.init.constant_(self.layer.weight, 0.1)
        torch.nn.init.zeros_(self.layer.bias)

    def forward(self, windows):
        if len(windows) > self.at_most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return self.layer(windows)


@pytest.fixture
def a_greedy_bundle(tmp_path, tiny_spec, monkeypatch):
    """A model whose network takes at most `at_most` windows at a time."""
    monkeypatch.setitem(networks.NETWORKS, "Greedy", Greedy)

    def make(at_most):
        # Written as a frugal model: writing proves the model by running it.
        spec = replace(tiny_spec, network=NetworkSpec("Greedy", {"at_most": 10**6}))
        bundle = ModelBundle.save(tmp_path / f"greedy-{at_most}", spec, {"model.safetensors": Greedy(1).state_dict()}, "# Greedy\n", "CC0\n")
        return ModelBundle(replace(bundle.spec, network=NetworkSpec("Greedy", {"at_most": at_most})), bundle.folder)

    return make


def test_the_processor_is_always_there_and_last():
    assert available_devices()[-1] == torch.device("cpu")
    free = free_bytes(torch.device("cpu"))
    assert free is None or free > 0


def test_plans_go_from_many_windows_at_a_time_to_one(tiny_spec):
    tried = [plan.batch for plan in plans(tiny_spec, (64, 64, 64)) if plan.device.type == "cpu"]
    assert tried[0] > 1
    assert tried[-1] == 1
    assert tried == sorted(tried, reverse=True)


def test_a_smaller_window_keeps_to_steps_that_networks_can_halve(tiny_spec):
    spec = replace(tiny_spec, window=WindowSpec((128, 160, 96)))
    assert [smaller.window.size for smaller in devices._smaller_windows(spec)] == [(96, 96, 64), (64, 64, 32)]
    assert list(devices._smaller_windows(tiny_spec)) == []


def test_sums_that_wait_are_held_as_float16_when_there_are_many(tiny_spec):
    few, many = tiny_spec, replace(tiny_spec, labels=tiny_spec.labels[:1] * 500, window=WindowSpec((96, 96, 96)))
    assert next(plans(few, (64, 64, 64))).held == torch.float32
    assert next(plans(many, (512, 512, 400))).held == torch.float16


def test_what_waits_is_half_a_window_across_the_longest_axis(tiny_spec):
    spec = replace(tiny_spec, window=WindowSpec((96, 96, 96)))
    # 528 = 96 + 9 steps of 48; a channel for each class and one for the weights, 4 bytes each.
    across = 48 * 528 * 384 * 4 * 4
    assert across < held_bytes(spec, (384, 528, 528)) < 1.3 * across


def test_memory_and_time_grow_with_the_image(tiny_spec):
    small, large = (estimate(Geometry(shape, np.eye(4)), next(plans(tiny_spec, shape))) for shape in ((32, 32, 32), (128, 128, 128)))
    assert large.image_bytes > small.image_bytes
    assert large.work_bytes > small.work_bytes
    assert large.seconds > 20 * small.seconds
    # On a grid of 1.5 mm 32 mm are 22 voxels and 128 mm are 86.
    assert (small.windows, large.windows) == (2**3, 10**3)


def test_the_estimate_of_memory_holds_what_a_forward_pass_keeps(tiny_spec, tiny_bundle):
    """Real tensors counted the same way need what the play with empty ones says."""
    from deepseg.cost import _forward, _Key, _PeakBytes

    network = tiny_bundle.build_network()
    with torch.inference_mode(False), torch.no_grad(), _PeakBytes() as peak:
        network(torch.randn(2, 1, 16, 16, 16))
    assert _forward(_Key(tiny_spec), 2, torch.float32)[1] == pytest.approx(peak.bytes, rel=0.25)


def test_with_less_memory_fewer_windows_go_at_a_time_and_the_result_says_so(a_greedy_bundle):
    volume = phantom(1)
    plenty = api.segment(volume, a_greedy_bundle(10**6))
    little = api.segment(volume, a_greedy_bundle(2))
    assert plenty.notes == ()
    assert len(little.notes) == 1
    assert "not enough memory for the usual way" in little.notes[0]
    assert "2 at a time" in little.notes[0]
    np.testing.assert_allclose(little.probabilities, plenty.probabilities, atol=1e-6)


def test_without_memory_for_one_window_the_run_ends_in_a_sentence(a_greedy_bundle):
    with pytest.raises(MemoryLimitError, match=r"not enough memory to segment 'golden phantom' \(26 x 34 x 22 voxels"):
        api.segment(phantom(1), a_greedy_bundle(0))


def test_a_run_that_cannot_fit_is_refused_before_it_starts(tiny_bundle, monkeypatch):
    monkeypatch.setattr("deepseg.attempts.free_bytes", lambda device: 1000)
    with pytest.raises(MemoryLimitError, match=r"the run needs about 0\.\d GB"):
        api.segment(phantom(1), tiny_bundle)


def test_a_result_says_what_it_ran_on(tiny_bundle):
    settings = json.loads(api.segment(phantom(1), tiny_bundle).provenance["DeepSeg.Settings"])
    assert settings["device"] in ("cpu", "cuda", "mps")
    assert settings["precision"] == "float32", "probabilities were asked for"
    assert settings["window"] == [16, 16, 16]


def test_what_a_run_will_take_is_told_in_words(tiny_bundle):
    volume = phantom(1)
    assert re.fullmatch(r"Runs on: .+ \(\w+\); takes about 0\.\d GB of memory and less than a second\.", api.forecast(volume, tiny_bundle))
    box = api.Box.from_center(volume.geometry.center_ras, (10.0, 10.0, 10.0))
    assert api.forecast(volume, tiny_bundle, box, precision="float32").startswith("Runs on: ")
