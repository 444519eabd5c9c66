"""A damaged or foreign model folder gives one sentence that says what is wrong, and never a traceback."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deepseg import api
from deepseg.bundle import sha256_of
from deepseg.errors import DeepSegError, ModelError
from deepseg.golden import phantom

WEIGHTS, METADATA = "models/model.safetensors", "configs/metadata.json"


@pytest.fixture
def a_model(tiny_bundle, tmp_path) -> Path:
    """A copy to damage."""
    return shutil.copytree(tiny_bundle.folder, tmp_path / "model")


def change(folder: Path, edit) -> None:
    metadata = json.loads((folder / METADATA).read_text())
    edit(metadata["deepseg"])
    (folder / METADATA).write_text(json.dumps(metadata))


def sign_again(folder: Path) -> None:
    change(folder, lambda section: section["weights"].update({"model.safetensors": sha256_of(folder / WEIGHTS)}))


def use(folder: Path) -> None:
    api.segment(phantom(1), api.load_model(folder))


def test_the_undamaged_model_works(a_model):
    use(a_model)


def cut_weights(folder):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def alter_one_byte(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-5] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def cut_and_sign(folder):
    cut_weights(folder)
    sign_again(folder)


def empty_and_sign(folder):
    (folder / WEIGHTS).write_bytes(b"")
    sign_again(folder)


def lose_a_tensor(folder):
    state = load_file(folder / WEIGHTS)
    state.pop(min(state))
    save_file(state, folder / WEIGHTS)
    sign_again(folder)


def add_a_tensor(folder):
    save_file({**load_file(folder / WEIGHTS), "extra": torch.zeros(1)}, folder / WEIGHTS)
    sign_again(folder)


def reshape_a_tensor(folder):
    state = load_file(folder / WEIGHTS)
    save_file({**state, min(state): torch.zeros(1, 2, 3)}, folder / WEIGHTS)
    sign_again(folder)


def weights_are_a_folder(folder):
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()


def kwargs(**changes):
    return lambda folder: change(folder, lambda section: section["network"]["kwargs"].update(changes))


def section(**changes):
    return lambda folder: change(folder, lambda inner: inner.update(changes))


def window(**changes):
    return lambda folder: change(folder, lambda inner: inner["window"].update(changes))


def three_labels(folder):
    label = {"value": 3, "name": "Third", "color": [0, 0, 0], "terminology": None}
    change(folder, lambda inner: inner["labels"].append(label))


def write_metadata(text: str):
    return lambda folder: (folder / METADATA).write_text(text, encoding="latin-1")


def monai_bundle_of_others(folder):
    metadata = json.loads((folder / METADATA).read_text())
    del metadata["deepseg"]
    (folder / METADATA).write_text(json.dumps(metadata))


DAMAGES = {
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "lacks its weight file models/model.safetensors"),
    "weights are a folder": (weights_are_a_folder, "lacks its weight file"),
    "weights cut off": (cut_weights, "damaged or altered: its SHA-256"),
    "one bit altered": (alter_one_byte, "damaged or altered: its SHA-256"),
    "weights cut off, hash adapted": (cut_and_sign, "cannot be read"),
    "weights empty, hash adapted": (empty_and_sign, "cannot be read"),
    "a tensor missing": (lose_a_tensor, "1 tensors are missing or unknown"),
    "a tensor too many": (add_a_tensor, "1 tensors are missing or unknown, the first is 'extra'"),
    "a tensor of another shape": (reshape_a_tensor, "The weights do not fit the network"),
    "schema of the future": (section(schema_version=3), r"written in model schema 3; this DeepSeg reads up to 2\. Update DeepSeg"),
    "no metadata": (lambda folder: (folder / METADATA).unlink(), "lacks the file configs/metadata.json"),
    "no configs": (lambda folder: shutil.rmtree(folder / "configs"), "lacks the file configs/metadata.json"),
    "metadata empty": (write_metadata(""), "cannot be read"),
    "metadata not JSON": (write_metadata("<xml/>"), "cannot be read"),
    "metadata not UTF-8": (write_metadata('{"name": "Gehörgang"}'), "cannot be read"),
    "metadata nested without end": (write_metadata("[" * 100_000), "cannot be read"),
    "metadata a list": (write_metadata("[1, 2]"), "has no 'deepseg' section"),
    "not a number": (write_metadata('{"deepseg": {"spacing_mm": [NaN, 1, 1]}}'), "NaN is not a number"),
    "a MONAI bundle": (monai_bundle_of_others, "a MONAI bundle that DeepSeg cannot run"),
    "section not an object": (write_metadata('{"deepseg": 5}'), "not valid"),
    "unknown setting": (kwargs(colour="red"), "settings for the network DynUNet do not fit it"),
    "strides too short": (kwargs(strides=[1]), "settings for the network DynUNet do not fit it"),
    "strides empty": (kwargs(strides=[], kernel_size=[]), "settings for the network DynUNet do not fit it"),
    "filters of text": (kwargs(filters="many"), "settings for the network DynUNet do not fit it"),
    "filters missing in number": (kwargs(filters=[4]), "settings for the network DynUNet do not fit it"),
    "unknown normalisation": (kwargs(norm_name="rainbow"), "settings for the network DynUNet do not fit it"),
    "normalisation of no kind": (kwargs(norm_name=7), "settings for the network DynUNet do not fit it"),
    "a dimension too few": (kwargs(spatial_dims=2), "."),
    "a dimension of none": (kwargs(spatial_dims=None), "settings for the network DynUNet do not fit it"),
    "more channels than inputs": (kwargs(in_channels=2), "The weights do not fit the network"),
    "another number of labels": (three_labels, "the model's labels and window need"),
    "window that the network cannot halve": (window(size=[15, 16, 16]), "."),
    "an intensity scheme from elsewhere": (
        section(inputs=[{"name": "T1", "modality": "MR", "unit": "a.u.", "steps": [{"scheme": "magic", "parameters": {}}]}]),
        "intensity scheme 'magic'",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_refused_in_one_sentence(name, a_model):
    damage, says = DAMAGES[name]
    damage(a_model)
    with pytest.raises(ModelError, match=says) as caught:
        use(a_model)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["nowhere", "../hippocampus-mr", "/nowhere/at/all", "", "a\\b"])
def test_an_unknown_model_is_refused_with_those_that_are_installed(name):
    with pytest.raises(ModelError, match=r"Installed: .*|lacks the file"):
        api.load_model(name)


def test_a_file_or_an_empty_folder_is_no_model(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        with pytest.raises(ModelError):
            api.load_model(tmp_path / name)


def test_a_damaged_model_does_not_hide_the_others(a_model, tiny_bundle, monkeypatch):
    shutil.copytree(tiny_bundle.folder, a_model.parent / "other")
    (a_model / METADATA).write_text("")
    monkeypatch.setenv("DEEPSEG_MODELS", str(a_model.parent))
    assert [path.name for path in api.list_models() if path.parent == a_model.parent] == ["model", "other"]
    assert api.load_model("other").sha256 == tiny_bundle.sha256
    with pytest.raises(DeepSegError):
        api.load_model("model")
