"""Cases are prepared once, in memory or in files, and give the same."""

import ctypes
import json
import os
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepseg.geometry import Geometry
from deepseg.io import write_label_map, write_volume
from deepseg.preprocessing import prepare, prepare_labels
from deepseg.volume import Label, LabelMap, Volume
from deepseg_train.augmentation import AugmentationSettings, PatchGrid
from deepseg_train.data import Case, open_dataset
from deepseg_train.errors import DatasetError
from deepseg_train.loading import prepared as prepared_module
from deepseg_train.loading.prepared import PreparedCases, _places, _prepared, _Store
from deepseg_train.loading.room import working_bytes
from deepseg_train.loading.samples import SampleKey, TrainingSamples


def same(one, other):
    return all(torch.equal(one[n][key], other[n][key]) for n in range(len(one)) for key in ("image", "label"))


def test_items_are_as_the_model_will_see_them(prepared, cases, spec):
    assert len(prepared) == 10
    volume, labels = cases[4].read(spec)
    assert torch.equal(prepared[4]["image"], prepare(volume, spec).tensor)
    assert torch.equal(prepared[4]["label"][0], prepare_labels(labels, spec))
    assert prepared[4]["label"].dtype == torch.uint8


def test_places_are_voxels_of_their_labels(prepared):
    arrays = prepared.arrays(2)
    value, *at = arrays.places.numpy().T
    assert (arrays.label[0].numpy()[tuple(at)] == value).all()
    counts = {v: int((arrays.label == v).sum()) for v in (1, 2)}
    assert {v: int((value == v).sum()) for v in (1, 2)} == counts  # so few that all are there


def test_what_does_not_fit_in_memory_is_in_files(prepared, cases, spec, tmp_path):
    in_files = PreparedCases(cases, spec, tmp_path / "cache", memory_bytes=0)
    assert same(prepared, in_files)
    assert torch.equal(in_files.arrays(0).places, prepared.arrays(0).places)
    assert len(list((tmp_path / "cache").iterdir())) == 30
    assert len(pickle.dumps(in_files)) < 20_000
    assert same(prepared, pickle.loads(pickle.dumps(in_files)))
    half = PreparedCases(cases, spec, tmp_path / "half", memory_bytes=5.5 * 5 * 20 * 24 * 18)
    assert 0 < len(list((tmp_path / "half").iterdir())) < 30
    assert same(prepared, half)
    assert PreparedCases(cases, spec, tmp_path / "unused")
    assert not (tmp_path / "unused").exists()


def test_a_case_that_does_not_fit_takes_no_memory_from_smaller_ones(write_ball, spec, tmp_path):
    """Room for two cases of three: the largest goes into files, and the smaller ones stay in memory, whichever comes first."""
    pairs = [write_ball(tmp_path, f"case_{n}", n) for n in range(2)]
    large = np.tile(np.linspace(0, 100, 40, dtype=np.float32)[:, None, None], (1, 48, 36))
    geometry = Geometry(large.shape, np.eye(4))
    write_volume(Volume(large[None], geometry), tmp_path / "imagesTr" / "a_large.nii.gz")
    write_label_map(LabelMap((large > 50).astype(np.uint8), geometry, ()), tmp_path / "labelsTr" / "a_large.nii.gz")
    pairs.insert(0, {"image": "./imagesTr/a_large.nii.gz", "label": "./labelsTr/a_large.nii.gz"})
    cases = open_dataset_of(tmp_path, pairs)
    PreparedCases(cases, spec, tmp_path / "cache", memory_bytes=3 * 5 * 20 * 24 * 18)
    assert {path.name.partition("-")[0] for path in (tmp_path / "cache").iterdir()} == {"a_large"}


def test_processes_of_one_machine_share_its_memory(monkeypatch, spec):
    monkeypatch.setattr(prepared_module, "free_bytes", lambda device: 8000)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert _Store(spec, None, None, world=1).left == 4000
    assert (store := _Store(spec, None, None, world=4)).left == store.room.total == 1000
    assert _Store(spec, None, memory_bytes=500, world=4).left == 500
    # Of eight processes two are on this machine.
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert _Store(spec, None, None, world=8).left == 2000


def test_places_are_a_random_subset_of_large_labels():
    label = np.zeros((40, 30, 20), np.uint8)
    label[5:25, 3:23, 2:18], label[30, 4, 5:9] = 2, 7
    found = _places(label).numpy()
    value, *at = found.T
    assert (label[tuple(at)] == value).all()
    assert {v: int((value == v).sum()) for v in (2, 7)} == {2: 2000, 7: 4}
    assert len({tuple(row) for row in found}) == 2004
    assert np.abs(found[value == 2, 1:].mean(0) - (14.5, 12.5, 9.5)).max() < 0.5, "from all over the label"
    assert (found == _places(label).numpy()).all()
    assert _places(np.zeros((3, 3, 3), np.uint8)).shape == (0, 4)


def memory(figure):
    """Of this process, in bytes: VmRSS, what it has, or VmHWM, the most it had."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(figure)]
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the most memory a process had, and lets it be counted anew")
def test_preparing_many_labels_takes_little_more_than_the_image(tmp_path, spec):
    """14 labels, resampled: side by side in one-hot form their numbers and their weights alone would take 12 x 15 bytes a voxel."""
    shape = (112, 110, 80)
    geometry = Geometry(shape, np.diag([0.8, 0.8, 1.25, 1.0]))
    labels = tuple(Label(n, f"label {n}", (1.0, 0.0, 0.0)) for n in range(1, 15))
    array = np.zeros(shape, np.uint8)
    for n in range(14):
        array[8 * n : 8 * n + 8, 20:90, 10:70] = n + 1
    case = Case("case", "case", (tmp_path / "image.nii",), tmp_path / "label.nii")
    write_volume(Volume(np.linspace(0, 1, array.size, dtype=np.float32).reshape(1, *shape), geometry), *case.images)
    write_label_map(LabelMap(array, geometry, labels), case.label)
    many = replace(spec, labels=labels, spacing_mm=(1.0, 1.0, 1.0))
    # What tests before this one freed and the heap kept would not be counted when it is used again.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    made = _prepared(case, many)
    taken = memory("VmHWM") - before
    assert made.label.unique().tolist() == list(range(15))
    assert taken / (array.size + made.label.numel()) < 60
    assert working_bytes(case, many) / taken > 0.5, "what is reckoned with"


def test_files_are_taken_as_they_are_until_the_case_changes(msd_folder, spec, tmp_path):
    shutil.copytree(msd_folder, tmp_path / "data")
    case = open_dataset(tmp_path / "data").cases[0]
    cache = tmp_path / "cache"
    PreparedCases([case], spec, cache, memory_bytes=0)
    (image,) = cache.glob("*-image.npy")
    np.save(image, np.full((1, 2, 2, 2), 9, np.float32))
    assert PreparedCases([case], spec, cache, memory_bytes=0)[0]["image"].unique().tolist() == [9]
    os.utime(case.label, (1, 1))
    assert PreparedCases([case], spec, cache, memory_bytes=0)[0]["image"].shape == (1, 20, 24, 18)


def test_every_bad_case_is_told(cases, spec, tmp_path, msd_folder):
    shutil.copytree(msd_folder, tmp_path / "data")
    bad = open_dataset(tmp_path / "data").cases
    bad[1].label.write_bytes(b"nothing")
    shutil.copyfile(bad[0].images[0], bad[5].label)
    with pytest.raises(DatasetError, match=r"2 of 10 cases have problems:\n  case_01: .*\n  case_05: .*gz has the label values") as told:
        PreparedCases(bad, spec)
    assert "case_02" not in str(told.value)


def test_images_without_any_label_are_prepared_and_give_patches(write_ball, spec, tmp_path):
    pairs = [write_ball(tmp_path, f"case_{n}", n) for n in range(2)]
    cases = (first, _) = open_dataset_of(tmp_path, pairs)
    _, labels = first.read(spec)
    write_label_map(replace(labels, array=np.zeros_like(labels.array)), first.label)
    found = PreparedCases(cases, spec)
    assert not found[0]["label"].any() and found[1]["label"].any()
    assert found.arrays(0).places.shape == (0, 4)
    samples = TrainingSamples(found, PatchGrid.of(spec), AugmentationSettings(oversample_foreground=1.0), seed=0, batch_size=2, steps=1)
    of_case = {samples.record(key).case: samples[key] for key in (SampleKey(0, 0), SampleKey(0, 1))}
    assert not of_case[0]["label"].any() and of_case[1]["label"].any()


def open_dataset_of(folder, pairs):
    (folder / "dataset.json").write_text(json.dumps({"training": pairs}), encoding="utf-8")
    return open_dataset(folder).cases
