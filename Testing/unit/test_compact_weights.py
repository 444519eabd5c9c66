"""Weights in 8 bits: what is stored, what comes back, and what is refused."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deepseg.bundle import ModelBundle, sha256_of
from deepseg.compact_weights import SCALE, full_weights, stored_weights
from deepseg.errors import ModelError
from deepseg.golden import check_golden, golden_case
from deepseg.prediction import predict

WEIGHTS = "models/model.safetensors"


def test_a_row_is_rounded_to_steps_of_its_largest_value():
    """Scales 1 and 2, so that the integers can be told by hand."""
    weight = torch.tensor([[127.0, -63.4, 0.0], [254.0, 3.1, -254.0]])
    stored = stored_weights({"fc.weight": weight}, torch.int8)
    assert stored["fc.weight"].tolist() == [[127, -63, 0], [127, 2, -127]]
    assert stored["fc.weight" + SCALE].tolist() == [[1.0], [2.0]]
    assert full_weights(stored)["fc.weight"].tolist() == [[127.0, -63.0, 0.0], [254.0, 4.0, -254.0]]


def test_each_kernel_has_its_own_scale_and_small_kernels_share_that_of_their_channel():
    generator = torch.Generator().manual_seed(0)
    state = {"conv": torch.randn((3, 2, 3, 3, 3), generator=generator), "up": torch.randn((3, 2, 2, 2, 2), generator=generator)}
    stored = stored_weights(state, torch.int8)
    assert stored["conv" + SCALE].shape == (3, 2, 1, 1, 1)
    assert stored["up" + SCALE].shape == (3, 1, 1, 1, 1)
    back = full_weights(stored)
    for name, value in state.items():
        # Half a step, and what rounding the scale itself to 8 bits of precision adds for the largest value.
        step = stored[name + SCALE].float()
        assert ((back[name] - value).abs() <= step * (0.5 + 127 / 256)).all()
        assert (back[name] - value).abs().mean() < 0.3 * step.mean()


def test_what_has_one_axis_stays_in_float16_and_integers_stay():
    stored = stored_weights({"bias": torch.tensor([0.1, 2.0]), "count": torch.tensor(7)}, torch.int8)
    assert stored["bias"].dtype == torch.float16
    assert stored["count"].dtype == torch.int64
    assert set(full_weights(stored)) == {"bias", "count"}


def test_a_kernel_of_zeros_stays_one():
    stored = stored_weights({"conv": torch.zeros((2, 1, 3, 3, 3))}, torch.int8)
    assert (full_weights(stored)["conv"] == 0).all()


def test_tiny_and_huge_weights_keep_their_precision():
    """float16 scales would be lost at either end."""
    weight = torch.stack([torch.full((4,), 1e-9), torch.full((4,), 1e9)])
    back = full_weights(stored_weights({"fc.weight": weight}, torch.int8))["fc.weight"]
    torch.testing.assert_close(back, weight, rtol=0.01, atol=0)


def test_kernels_too_small_to_be_told_from_zero_are_zero():
    """A scale of 0 would be refused when the model is opened."""
    stored = stored_weights({"fc.weight": torch.full((1, 4), 1e-44)}, torch.int8)
    assert full_weights(stored)["fc.weight"].tolist() == [[0.0] * 4]


@pytest.mark.parametrize(
    ("values", "dtype", "told"),
    [
        ([[1.0, -70000.0]], torch.float16, r"'head' hold 7e\+04, which float16 cannot store: its largest number is 6.55e\+04"),
        ([70000.0], torch.int8, r"'head' hold 7e\+04, which float16 cannot store"),
        ([[3.4e38]], torch.bfloat16, r"'head' hold 3.4e\+38, which bfloat16 cannot store"),
        ([[1.0, float("inf")]], torch.int8, "'head' hold a number that is not finite"),
    ],
    ids=["float16", "one axis beside 8 bits", "bfloat16", "not finite in 8 bits"],
)
def test_a_value_that_its_type_cannot_hold_is_refused_by_the_name_of_its_tensor(values, dtype, told):
    with pytest.raises(ModelError, match=told):
        stored_weights({"fits": torch.tensor([1.0]), "head": torch.tensor(values)}, dtype)


def test_the_largest_value_of_a_type_is_stored():
    largest = torch.tensor([65504.0, -65504.0])
    assert torch.equal(stored_weights({"head": largest}, torch.float16)["head"].float(), largest)


@pytest.fixture(scope="module")
def eight_bit_bundle(tmp_path_factory, tiny_spec, tiny_weights):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return ModelBundle.save(folder, tiny_spec, {"model.safetensors": tiny_weights}, "# Tiny\n", "CC0\n", dtype=torch.int8)


def test_a_model_in_8_bits_opens_and_gives_nearly_the_same(eight_bit_bundle, tiny_bundle):
    assert check_golden(ModelBundle.load(eight_bit_bundle.folder)) < 1e-3
    volume, expected = golden_case(tiny_bundle)
    differences = np.abs(predict(volume, eight_bit_bundle).probabilities - expected)
    assert 0 < differences.mean() < 5e-3
    network = eight_bit_bundle.build_network()
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_its_file_is_about_half_as_large(eight_bit_bundle, tiny_bundle):
    sizes = [sum(t.numel() * t.element_size() for t in load_file(bundle.folder / WEIGHTS).values()) for bundle in (eight_bit_bundle, tiny_bundle)]
    assert sizes[0] < 0.6 * sizes[1]


def with_damage(bundle, folder, damage):
    """A copy of a model whose weight file was changed, hash and all."""
    (folder / "models").mkdir()
    state = load_file(bundle.folder / WEIGHTS)
    damage(state)
    save_file(state, folder / WEIGHTS)
    return ModelBundle(replace(bundle.spec, weights={"model.safetensors": sha256_of(folder / WEIGHTS)}), folder)


def a_scale(state):
    return min(name for name in state if name.endswith(SCALE))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda state: state.pop(a_scale(state)), "stored in 8 bits without their scales"),
        (lambda state: state.update({a_scale(state): state[a_scale(state)] * float("nan")}), "not finite and above 0"),
        (lambda state: state.update({a_scale(state): -state[a_scale(state)]}), "not finite and above 0"),
        (lambda state: state.update({a_scale(state): state[a_scale(state)].flatten()}), "does not fit"),
        (lambda state: state.update({a_scale(state): torch.ones(2, 1, 1, 1, 1)}), "does not fit"),
        (lambda state: state.pop(a_scale(state).removesuffix(SCALE)), "tensors are missing or unknown"),
    ],
    ids=["no scale", "no number", "negative", "of one axis", "of another length", "no weights"],
)
def test_damaged_scales_are_refused(damage, told, eight_bit_bundle, tmp_path):
    damaged = with_damage(eight_bit_bundle, tmp_path, damage)
    with pytest.raises(ModelError, match=f"is damaged.*{told}"):
        damaged.build_network()


def test_one_altered_byte_of_a_scale_is_noticed_by_the_hash(eight_bit_bundle, tmp_path):
    folder = shutil.copytree(eight_bit_bundle.folder, tmp_path / "copy")
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256"):
        ModelBundle.load(folder)
