"""Problems of a dataset are found before the first step, all at once, by name."""

import json
import shutil

import numpy as np
import pytest

from deepseg.geometry import Geometry
from deepseg.io import write_label_map
from deepseg.volume import LabelMap
from deepseg_train.config import load_config
from deepseg_train.dataset import find_cases, read_checked
from deepseg_train.errors import DatasetError
from deepseg_train.split import draw_split, load_split

from .conftest import LABELS, SHIPPED_CONFIG


@pytest.fixture
def broken_folder(msd_folder, tmp_path):
    folder = tmp_path / "msd"
    shutil.copytree(msd_folder, folder)
    return folder


@pytest.fixture
def spec(small_config):
    return load_config(small_config).spec


def write_labels(folder, name, array, origin=0.0):
    matrix = np.eye(4)
    matrix[0, 3] = origin
    write_label_map(LabelMap(array, Geometry(array.shape, matrix), LABELS), folder / "labelsTr" / f"{name}.nii.gz")


def test_a_good_dataset_is_read_whole(msd_folder, spec):
    assert len(read_checked(find_cases(msd_folder), spec)) == 10


def test_every_bad_case_is_named_with_its_reason_at_once(broken_folder, spec):
    good = np.zeros((20, 24, 18), np.uint8)
    good[5:9, 5:9, 5:9] = 1
    write_labels(broken_folder, "case_01", good, origin=3.0)
    write_labels(broken_folder, "case_02", good * 7)
    write_labels(broken_folder, "case_03", good * 0)
    (broken_folder / "imagesTr" / "case_04.nii.gz").write_bytes(b"not an image")
    with pytest.raises(DatasetError) as caught:
        read_checked(find_cases(broken_folder), spec)
    said = str(caught.value)
    assert said.startswith("4 of 10 cases have problems")
    for line in ("case_01: image grid", "case_02: label values [0, 7], expected only [0, 1, 2]", "case_03: the label image is empty", "case_04: "):
        assert line in said


def test_missing_files_are_all_named(broken_folder):
    (broken_folder / "imagesTr" / "case_05.nii.gz").unlink()
    (broken_folder / "labelsTr" / "case_06.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"2 files .* missing:(.|\n)*case_05(.|\n)*case_06"):
        find_cases(broken_folder)


def test_a_folder_without_dataset_json_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"lacks dataset\.json"):
        find_cases(tmp_path)


def test_the_committed_split_puts_each_of_208_patients_in_one_part():
    parts = json.loads(load_config(SHIPPED_CONFIG).split.read_text(encoding="utf-8"))["parts"]
    names = [name for part in parts.values() for name in part]
    assert {part: len(members) for part, members in parts.items()} == {"train": 134, "validation": 12, "calibrate": 31, "test": 31}
    assert len(set(names)) == 208


def test_the_committed_split_is_the_one_its_seed_draws():
    split = json.loads(load_config(SHIPPED_CONFIG).split.read_text(encoding="utf-8"))["parts"]
    names = [name for part in split.values() for name in part]
    assert draw_split(names, {part: len(members) for part, members in split.items()}, seed=2026) == split


def test_a_patient_in_two_parts_is_refused(msd_folder, tmp_path):
    path = tmp_path / "split.json"
    parts = {"train": ["case_00", "case_01"], "validation": ["case_01"], "calibrate": [], "test": []}
    path.write_text(json.dumps({"parts": parts}), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"more than once: case_01"):
        load_split(path, find_cases(msd_folder))
