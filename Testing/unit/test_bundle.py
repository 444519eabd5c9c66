import json
import stat
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from deepseg import api
from deepseg.bundle import ModelBundle, sha256_of
from deepseg.errors import ModelError, OutputError
from deepseg.geometry import Box, Geometry
from deepseg.golden import phantom as golden_phantom
from deepseg.volume import Volume


def test_a_saved_model_is_a_monai_bundle_with_all_its_parts(tiny_bundle):
    files = {path.relative_to(tiny_bundle.folder).as_posix() for path in tiny_bundle.folder.rglob("*") if path.is_file()}
    assert files == {"configs/metadata.json", "configs/inference.json", "models/model.safetensors", "models/golden.npz", "docs/README.md", "LICENSE"}
    metadata = json.loads((tiny_bundle.folder / "configs/metadata.json").read_text())
    monai_keys = {"version", "changelog", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright"}
    assert monai_keys <= set(metadata)
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"] == {"0": "background", "1": "Front", "2": "Back"}


def test_every_file_of_a_model_can_be_read_by_others(tiny_bundle):
    for path in [tiny_bundle.folder, *tiny_bundle.folder.rglob("*")]:
        assert path.stat().st_mode & stat.S_IROTH, path


def test_a_model_opened_again_is_the_one_that_was_saved(tiny_bundle, tiny_spec, tiny_weights):
    again = ModelBundle.load(tiny_bundle.folder)
    assert again.sha256 == tiny_bundle.sha256
    assert replace(again.spec, weights={}) == tiny_spec
    assert again.spec.weights == {"model.safetensors": sha256_of(tiny_bundle.folder / "models/model.safetensors")}
    network = again.build_network()
    assert not network.training
    for name, tensor in load_file(tiny_bundle.folder / "models/model.safetensors").items():
        assert tensor.dtype == torch.float16
        torch.testing.assert_close(network.state_dict()[name], tiny_weights[name].half().float(), rtol=0, atol=0)
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_every_parameter_of_the_network_comes_from_the_file(tiny_bundle, tiny_weights):
    state = tiny_bundle.build_network().state_dict()
    assert set(state) == set(tiny_weights)
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, tiny_weights[name].half().float(), rtol=0, atol=0)


def test_the_hash_tells_models_apart(tiny_bundle):
    assert ModelBundle(replace(tiny_bundle.spec, version="0.0.2"), tiny_bundle.folder).sha256 != tiny_bundle.sha256
    assert ModelBundle(replace(tiny_bundle.spec, weights={"model.safetensors": "0" * 64}), tiny_bundle.folder).sha256 != tiny_bundle.sha256


def test_a_model_is_never_written_over_another(tiny_bundle, tiny_spec, tiny_weights):
    with pytest.raises(OutputError, match="exists already"):
        ModelBundle.save(tiny_bundle.folder, tiny_spec, {"model.safetensors": tiny_weights}, "card", "licence")


@pytest.mark.parametrize("break_it", ["a weight too large for float16", "a weight is missing", "too few classes", "a name outside the folder"])
def test_a_model_that_cannot_be_read_back_is_not_written(break_it, tiny_spec, tiny_weights, tmp_path):
    weights, spec, name = dict(tiny_weights), tiny_spec, "model.safetensors"
    first = next(iter(weights))
    if break_it == "a weight too large for float16":
        weights[first] = weights[first] * 1e9
    elif break_it == "a weight is missing":
        del weights[first]
    elif break_it == "too few classes":
        spec = replace(tiny_spec, labels=tiny_spec.labels[:1])
    else:
        name = "../../escaped.safetensors"
    with pytest.raises(ModelError):
        ModelBundle.save(tmp_path / "models" / "broken", spec, {name: weights}, "card", "licence")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list((tmp_path / "models").glob("*")) == []


@pytest.mark.parametrize("name", ["file/model", "file/below/model", "x" * 300], ids=["in a file", "below a file", "a name too long"])
def test_a_place_that_cannot_be_written_to_is_refused(name, tiny_spec, tiny_weights, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="Cannot write the model"):
        ModelBundle.save(tmp_path / name, tiny_spec, {"model.safetensors": tiny_weights}, "card", "licence")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def a_full_disk():
    """No file can grow beyond a few bytes."""
    resource = pytest.importorskip("resource", reason="needs limits of a POSIX system")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_leaves_nothing(tiny_spec, tiny_weights, tmp_path, a_full_disk):
    with pytest.raises(OutputError, match=r"Cannot write the model .*too large"):
        ModelBundle.save(tmp_path / "models/model", tiny_spec, {"model.safetensors": tiny_weights}, "card", "licence")
    assert list((tmp_path / "models").iterdir()) == []


@pytest.fixture
def a_volume() -> Volume:
    return golden_phantom(1)


def test_a_prediction_lies_on_the_grid_of_its_volume(tiny_bundle, a_volume):
    prediction = api.segment(a_volume, tiny_bundle)
    assert prediction.labels.array.shape == a_volume.geometry.shape
    assert prediction.geometry is a_volume.geometry
    assert prediction.probabilities.shape == (3, *a_volume.geometry.shape)
    assert abs(prediction.probabilities.sum(0) - 1).max() < 1e-5
    assert (prediction.labels.array == prediction.probabilities.argmax(0)).all()
    assert set(prediction.labels.array.ravel()) == {0, 1, 2}, "the tiny model should give every label somewhere"
    assert prediction.provenance["DeepSeg.ModelSha256"] == tiny_bundle.sha256


def test_the_same_volume_gives_the_same_answer_twice(tiny_bundle, a_volume):
    first, second = (api.segment(a_volume, tiny_bundle).probabilities for _ in range(2))
    assert (first == second).all()


def test_a_region_is_segmented_as_if_it_were_the_whole_volume(tiny_bundle, a_volume):
    box = Box.from_center(a_volume.geometry.center_ras, (14.0, 15.0, 16.0))
    part, where = a_volume.cropped(box)
    whole, alone = api.segment(a_volume, tiny_bundle, box), api.segment(part, tiny_bundle)
    inside = box.contains(a_volume.geometry, where)
    assert inside.any()
    assert not inside.all(), "the grid is oblique, so the block of voxels has corners outside the box"
    assert (whole.labels.array[where][inside] == alone.labels.array[inside]).all()
    assert (whole.probabilities[(slice(None), *where)][:, inside] == alone.probabilities[:, inside]).all()
    outside = np.ones(a_volume.geometry.shape, bool)
    outside[where] = ~inside
    assert not whole.labels.array[outside].any()
    assert (whole.probabilities[0][outside] == 1).all()
    assert abs(whole.probabilities.sum(0) - 1).max() < 1e-5


def test_progress_rises_from_zero_to_one_and_names_its_stages(tiny_bundle, a_volume):
    seen = []
    prediction = api.segment(a_volume, tiny_bundle, progress=seen.append)
    fractions = [state.fraction for state in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert list(prediction.seconds) == ["preparing the image", "loading the model", "running the network", "finishing"]


def test_cancelling_stops_the_run(tiny_bundle, a_volume):
    def stop(state) -> None:
        if state.stage == "running the network":
            raise api.Cancelled("Stopped.")

    with pytest.raises(api.Cancelled):
        api.segment(a_volume, tiny_bundle, progress=stop)


def test_a_single_slice_is_segmented(tiny_bundle, a_volume):
    flat = Geometry((20, 24, 1), a_volume.geometry.ijk_to_ras)
    prediction = api.segment(Volume(a_volume.array[:, :20, :24, :1], flat), tiny_bundle)
    assert prediction.labels.array.shape == (20, 24, 1)


def test_a_constant_image_is_refused(tiny_bundle, a_volume):
    constant = Volume(a_volume.array * 0 + 7, a_volume.geometry)
    with pytest.raises(api.VolumeError, match="has the value 7 in every voxel"):
        api.segment(constant, tiny_bundle)


def test_a_volume_in_another_unit_is_refused(tiny_bundle, a_volume):
    ct = Volume(a_volume.array, a_volume.geometry, ("HU",), "chest")
    with pytest.raises(api.VolumeError, match=r"'chest' is in HU; the model .* takes"):
        api.segment(ct, tiny_bundle)
