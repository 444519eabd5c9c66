"""What a run computes on, what it is thought to take, and what happens when memory runs out."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from deepseg import api, cli, devices, networks
from deepseg.attempts import Attempts
from deepseg.bundle import ModelBundle
from deepseg.cost import Forecast, estimate
from deepseg.devices import available_devices, held_bytes, plans
from deepseg.errors import DeviceError, MemoryLimitError, ModelError, UncertaintyError, VolumeError, is_shortage
from deepseg.free_memory import free_bytes
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
    assert [plan.frugal for plan in plans(tiny_spec, (64, 64, 64)) if plan.device.type == "cpu"] == [False] * (len(tried) - 1) + [True]


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
    assert large.result_bytes > small.result_bytes
    assert large.work_bytes > small.work_bytes
    assert large.operations > 20 * small.operations
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
    with pytest.raises(MemoryLimitError, match=r"not enough memory to run the model over 'golden phantom' \(26 x 34 x 22 voxels"):
        api.segment(phantom(1), a_greedy_bundle(0))


def test_a_run_that_cannot_fit_is_refused_before_it_starts(tiny_bundle, monkeypatch):
    monkeypatch.setattr("deepseg.cost.free_bytes", lambda device: 1000)
    with pytest.raises(MemoryLimitError, match=r"the run needs about 0\.\d GB"):
        api.segment(phantom(1), tiny_bundle)


def test_what_nobody_would_wait_for_is_refused(tiny_spec, tiny_bundle):
    """A model whose spacing is a slip of the unit."""
    fine = replace(tiny_bundle.spec, spacing_mm=(0.01, 0.01, 0.01))
    with pytest.raises(VolumeError, match=r"at least \de\+\d+ windows; expected at most 1e\+05"):
        api.segment(phantom(1), ModelBundle(fine, tiny_bundle.folder))


def test_an_ensemble_blended_apart_needs_memory_for_each_member(tiny_spec):
    window = WindowSpec((96, 96, 96), weight="nnunet")
    one, five = (
        replace(tiny_spec, spacing_mm=(1.0, 1.0, 1.0), window=window, weights={f"{n}.safetensors": "" for n in range(count)}) for count in (1, 5)
    )
    assert held_bytes(five, (256, 256, 256)) > 3.5 * held_bytes(one, (256, 256, 256))
    costs = [estimate(Geometry((256, 256, 256), np.eye(4)), next(plans(spec, (256, 256, 256)))) for spec in (one, five)]
    assert costs[1].work_bytes - costs[0].work_bytes >= held_bytes(five, (256, 256, 256), 2) - held_bytes(one, (256, 256, 256), 2)


@pytest.mark.parametrize(
    "told",
    [
        "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.",
        "[enforce fail at alloc_cpu.cpp:98] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
        "MPS backend out of memory (MPS allocated: 5.20 GB, other allocations: 3.20 GB, max allowed: 9.07 GB).",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_a_shortage_is_known_by_the_words_of_every_allocator(told):
    assert is_shortage(RuntimeError(told))
    assert not is_shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.parametrize("where", ["deepseg.frontier.Frontier.room", "deepseg.resampling.GridSampler.resample", "deepseg.blending.Blender.add"])
def test_a_shortage_anywhere_in_the_run_ends_in_a_sentence(where, tiny_bundle, monkeypatch):
    def too_much(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    monkeypatch.setattr(where, too_much)
    with pytest.raises(MemoryLimitError, match="not enough memory to run the model"):
        api.segment(phantom(1), tiny_bundle)


class Choosy(Greedy):
    """A network that refuses windows by an error of another kind, as MONAI's SwinUNETR does."""

    def forward(self, windows):
        if self.at_most < 10**6:
            raise ValueError("spatial dimensions are not divisible by 32")
        return self.layer(windows)


def test_whatever_a_network_says_to_its_window_is_told_as_a_fault_of_the_model(a_greedy_bundle, monkeypatch):
    bundle = a_greedy_bundle(5)
    monkeypatch.setitem(networks.NETWORKS, "Greedy", Choosy)
    with pytest.raises(ModelError, match=r"cannot be run: spatial dimensions are not divisible by 32\. Its network does not fit"):
        api.segment(phantom(1), bundle)
    assert api.forecast(phantom(1), bundle).startswith("Runs on: ")


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_numbers_that_are_not_finite_are_no_labels(precision, a_greedy_bundle, monkeypatch):
    class Damaged(Greedy):
        def forward(self, windows):
            return super().forward(windows) / 0

    bundle = a_greedy_bundle(10**6)
    monkeypatch.setitem(networks.NETWORKS, "Greedy", Damaged)
    with pytest.raises(ModelError, match="not finite; its weights are damaged"):
        api.segment(phantom(1), bundle, precision=precision)


def test_a_precision_that_is_none_is_named(tiny_bundle):
    with pytest.raises(ValueError, match="precision is 'fp16'; expected 'auto', 'float32', 'bfloat16', 'float16'"):
        api.segment(phantom(1), tiny_bundle, precision="fp16")


def test_a_forecast_tells_of_the_way_that_will_be_tried(tiny_bundle, monkeypatch):
    monkeypatch.setattr("deepseg.cost.free_bytes", lambda device: 1000)
    assert api.forecast(phantom(1), tiny_bundle).startswith("There is not enough memory")


def test_a_forecast_of_uncertainty_counts_its_passes(tiny_bundle, monkeypatch):
    told = []

    def forecast(geometry, spec, precision, extent, device):
        told.append(extent)
        return Forecast("Runs.", True)

    monkeypatch.setattr("deepseg.uncertainty.estimate.forecast_run", forecast)
    for sampler, samples in (("single-pass", None), ("augmentation", 6)):
        assert api.forecast_uncertainty(phantom(1), tiny_bundle, sampler=sampler, samples=samples) == "Runs."
    assert [extent.passes for extent in told] == [1, 6]
    assert told[0].kept_bytes == told[1].kept_bytes, "memory does not grow with the samples"
    with pytest.raises(UncertaintyError, match="trained without dropout"):
        api.forecast_uncertainty(phantom(1), tiny_bundle, sampler="dropout")


def test_a_forecast_of_uncertainty_is_a_sentence(tiny_bundle):
    assert api.forecast_uncertainty(phantom(1), tiny_bundle).startswith("Runs on: ")


def test_a_result_says_what_it_ran_on(tiny_bundle):
    settings = json.loads(api.segment(phantom(1), tiny_bundle).provenance["DeepSeg.Settings"])
    assert settings["device"] in ("cpu", "cuda", "mps")
    assert settings["precision"] == "float32", "probabilities were asked for"
    assert settings["window"] == [16, 16, 16]
    assert settings["sums"] == "float32"


def test_what_a_run_will_take_is_told_in_words(tiny_bundle):
    volume = phantom(1)
    assert re.fullmatch(r"Runs on: .+ \(\w+\); takes about 0\.\d GB of memory and less than a second\.", api.forecast(volume, tiny_bundle))
    box = api.Box.from_center(volume.geometry.center_ras, (10.0, 10.0, 10.0))
    assert api.forecast(volume, tiny_bundle, box, precision="float32").startswith("Runs on: ")


@pytest.fixture
def an_apple_gpu(monkeypatch):
    """A device that nothing can be run on here, before the processor, and memory that nobody knows of."""
    monkeypatch.setattr(devices, "available_devices", lambda: [torch.device("mps"), torch.device("cpu")])
    monkeypatch.setattr("deepseg.cost.free_bytes", lambda device: None)


def test_a_chosen_device_is_the_only_one_to_be_tried(an_apple_gpu, tiny_spec):
    spec = replace(tiny_spec, window=WindowSpec((128, 128, 128)))
    for key in ("mps", "cpu"):
        assert {str(plan.device) for plan in plans(spec, (64, 64, 64), key=key)} == {key}
    assert {str(plan.device) for plan in plans(spec, (64, 64, 64))} == {"mps", "cpu"}
    assert [(found.key, found.name) for found in api.list_devices()] == [("mps", "Apple GPU"), ("cpu", "processor")]


def test_cards_of_one_name_are_told_apart(monkeypatch):
    cards = [torch.device("cuda", 1), torch.device("cuda", 0)]
    monkeypatch.setattr(devices, "available_devices", lambda: [*cards, torch.device("cpu")])
    monkeypatch.setattr(devices, "device_name", lambda device: "A card" if device.type == "cuda" else "processor")
    assert [found.name for found in api.list_devices()] == ["A card (cuda:1)", "A card (cuda:0)", "processor"]
    assert devices.chosen_devices("cuda:1") == cards[:1]


def test_a_processor_is_chosen_without_waking_a_card(tiny_bundle, monkeypatch):
    monkeypatch.setattr(devices, "available_devices", lambda: 1 / 0)
    settings = json.loads(api.segment(phantom(1), tiny_bundle, device="cpu").provenance["DeepSeg.Settings"])
    assert settings["device"] == "cpu"
    assert api.forecast(phantom(1), tiny_bundle, device="cpu").startswith("Runs on: processor")


@pytest.mark.parametrize("key", ["cuda:7", "gpu", ""])
def test_a_device_that_is_not_there_is_named_and_those_that_are(key, tiny_bundle):
    volume = phantom(1)
    calls = (api.segment, api.estimate_uncertainty, api.forecast, api.forecast_uncertainty, api.preview)
    for call in (*calls, lambda *a, **k: api.explain(*a, place=tuple(volume.geometry.center_ras), **k)):
        with pytest.raises(DeviceError, match=rf"has no device '{key}' that can be used; it has .*cpu \(processor\)\. Choose one of these"):
            call(volume, tiny_bundle, device=key)


def test_a_device_without_memory_gives_way_to_another_unless_it_was_chosen(an_apple_gpu, tiny_bundle):
    def run(plan):
        if plan.device.type == "mps":
            raise RuntimeError("MPS backend out of memory")
        return "done"

    result, plan, notes = Attempts(phantom(1), tiny_bundle, run).first_that_fits("float32")
    assert (result, plan.device.type) == ("done", "cpu")
    assert "so it ran on: processor" in notes[0]
    with pytest.raises(MemoryLimitError, match=r"on Apple GPU \(mps\), the device chosen for it\. Choose another device or leave the choice"):
        Attempts(phantom(1), tiny_bundle, run, device="mps").first_that_fits("float32")


def test_a_device_that_cannot_run_a_model_gives_way_to_another_unless_it_was_chosen(an_apple_gpu, tiny_bundle):
    def run(plan):
        if plan.device.type == "mps":
            raise ModelError("Conv3D is not supported.")
        return "done"

    assert Attempts(phantom(1), tiny_bundle, run).first_that_fits("float32")[0] == "done"
    with pytest.raises(ModelError, match=r"Apple GPU \(mps\), could not run this model: Conv3D is not supported\. Choose another device"):
        Attempts(phantom(1), tiny_bundle, run, device="mps").first_that_fits("float32")


def test_a_forecast_for_a_chosen_device_without_memory_says_so(tiny_bundle, monkeypatch):
    monkeypatch.setattr("deepseg.cost.free_bytes", lambda device: 1000)
    told = api.preview(phantom(1), tiny_bundle, device="cpu")
    assert told.forecast.startswith("There is not enough memory for this run on processor (cpu). Choose another device, close other programs")
    assert not told.fits
    assert not api.preview(phantom(1), tiny_bundle).fits


@pytest.mark.parametrize("command", ["segment", "uncertainty", "explain", "batch"])
def test_the_command_line_runs_on_the_device_that_is_named(command, tiny_bundle, tmp_path, capsys):
    image, volume = tmp_path / "image.nii.gz", phantom(1)
    api.write_volume(volume, image)
    center = [str(x) for x in volume.geometry.center_ras]
    words = {
        "segment": ["segment", "-o", str(tmp_path / "out.seg.nrrd")],
        "uncertainty": ["segment", "-o", str(tmp_path / "out.seg.nrrd"), "--uncertainty", "single-pass"],
        "explain": ["explain", "-o", str(tmp_path / "out.nrrd"), "--at", *center, "--method", "gradient-times-input", "--no-checks"],
        "batch": ["batch", "-o", str(tmp_path / "out")],
    }[command]
    words[1:1] = [str(image), "-m", str(tiny_bundle.folder)]
    assert cli.main([*words, "--device", "cuda:7"]) == 2
    assert "This computer has no device 'cuda:7' that can be used" in capsys.readouterr().err
    assert cli.main([*words, "--device", "cpu"]) == 0
    made = {"batch": tmp_path / "out/image.seg.nrrd", "explain": tmp_path / "out.nrrd"}.get(command, tmp_path / "out.seg.nrrd")
    assert '"device": "cpu"' in made.read_bytes()[:20_000].decode("latin-1").replace('\\"', '"')
    if command == "batch":
        capsys.readouterr()
        assert cli.main(words) == 0
        assert "1 of 1 cases are done already." in capsys.readouterr().out, "a device is no reason to run a case again"
