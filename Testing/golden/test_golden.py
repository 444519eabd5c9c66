"""Each shipped model still gives what it gave when it was made."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deepseg import api
from deepseg.bundle import ModelBundle, sha256_of
from deepseg.errors import ModelError
from deepseg.golden import GOLDEN_FILE, TOLERANCE, check_golden, phantom


def test_a_model_is_shipped():
    assert "hippocampus-mr" in [path.name for path in api.list_models()]


@pytest.mark.parametrize("name", [path.name for path in api.list_models()])
def test_each_shipped_model_reproduces_its_golden_file(name):
    difference = check_golden(api.load_model(name))
    print(f"{name}: largest difference {difference:.2g}, allowed {TOLERANCE:g}")
    assert difference <= TOLERANCE


def test_the_golden_answer_is_not_the_same_everywhere(tiny_bundle):
    with np.load(tiny_bundle.folder / GOLDEN_FILE) as stored:
        assert stored["probabilities"].std(axis=(1, 2, 3)).min() > 10 * TOLERANCE


def test_the_phantom_tells_every_flip_and_swap_of_axes():
    array = phantom(1).array[0]
    for axis in range(3):
        assert np.abs(array - np.flip(array, axis)).mean() > 1.0
    assert len(set(array.shape)) == 3
    assert (phantom(2).array[0] != phantom(2).array[1]).any()


@pytest.fixture
def a_copy(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle.folder, tmp_path / "copy")


def sign_again(folder) -> ModelBundle:
    """Put the hash of the changed weights into the metadata, as someone would who wants the change to pass."""
    old = ModelBundle(api.read_spec(folder), folder).spec.weights["model.safetensors"]
    path = folder / "configs/metadata.json"
    path.write_text(path.read_text().replace(old, sha256_of(folder / "models/model.safetensors")))
    return ModelBundle.load(folder)


def test_the_copy_of_a_model_reproduces_its_golden_file(a_copy):
    assert check_golden(ModelBundle.load(a_copy)) <= TOLERANCE


def test_a_model_with_other_weights_does_not_reproduce_its_golden_file(a_copy):
    path = a_copy / "models/model.safetensors"
    state = load_file(path)
    generator = torch.Generator().manual_seed(0)
    save_file({name: (t + 0.2 * torch.randn(t.shape, generator=generator)).half() for name, t in state.items()}, path)
    with pytest.raises(ModelError, match="does not reproduce its golden file: probabilities differ by 0"):
        check_golden(sign_again(a_copy))


def test_a_model_with_another_spacing_does_not_reproduce_its_golden_file(a_copy):
    path = a_copy / "configs/metadata.json"
    metadata = json.loads(path.read_text())
    metadata["deepseg"]["spacing_mm"] = [1.5, 1.5, 1.4]
    path.write_text(json.dumps(metadata))
    with pytest.raises(ModelError, match="does not reproduce its golden file"):
        check_golden(ModelBundle.load(a_copy))


@pytest.mark.parametrize("damage", ["missing", "empty", "half", "text", "pickle", "another model's"])
def test_a_damaged_golden_file_is_refused_in_words(damage, a_copy):
    path = a_copy / GOLDEN_FILE
    content = path.read_bytes()
    with np.load(path) as stored:
        arrays = dict(stored)
    path.unlink()
    if damage == "empty":
        path.touch()
    elif damage == "half":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        path.write_text("golden")
    elif damage == "pickle":
        np.savez(path, **{**arrays, "probabilities": np.array([{"code": "here"}], dtype=object)})
    elif damage == "another model's":
        np.savez(path, **{**arrays, "probabilities": arrays["probabilities"][:2]})
    with pytest.raises(ModelError, match="golden file"):
        check_golden(ModelBundle.load(a_copy))
