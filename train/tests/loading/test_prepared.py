"""Cases are prepared once, in memory or in files, and give the same."""

import os
import pickle
import shutil

import numpy as np
import pytest
import torch

from deepseg.preprocessing import prepare, prepare_labels
from deepseg_train.data import open_dataset
from deepseg_train.errors import DatasetError
from deepseg_train.loading.prepared import PreparedCases


def same(one, other):
    return all(torch.equal(one[n][key], other[n][key]) for n in range(len(one)) for key in ("image", "label"))


def test_items_are_as_the_model_will_see_them(prepared, cases, spec):
    assert len(prepared) == 10
    volume, labels = cases[4].read(spec)
    assert torch.equal(prepared[4]["image"], prepare(volume, spec).tensor)
    assert torch.equal(prepared[4]["label"][0].long(), prepare_labels(labels, spec))
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
    with pytest.raises(DatasetError, match=r"2 of 10 cases have problems:\n  case_01: .*\n  case_05: label values") as told:
        PreparedCases(bad, spec)
    assert "case_02" not in str(told.value)
