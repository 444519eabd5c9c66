"""Tests of shift: by hand, on what is the same and on what is not, and on image files."""

import json

import numpy as np
import pytest

from deepseg.geometry import Geometry
from deepseg.io import write_label_map, write_volume
from deepseg.volume import LabelMap, Volume
from deepseg_train.commands import shift as command
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation import shift as shift_module
from deepseg_train.evaluation.shift import _units, classifier_two_sample, maximum_mean_discrepancy, shift

from .conftest import LABELS, run_command


@pytest.fixture(autouse=True)
def fewer_permutations(monkeypatch):
    """A classifier is fitted five times for each."""
    monkeypatch.setattr(shift_module, "CLASSIFIER_PERMUTATIONS", 60)


def test_mmd_by_hand():
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [4.0]])
    # Distances 1, 2, 4, 1, 3, 2: squared 1, 4, 16, 1, 9, 4, whose median is 4.
    k = lambda squared: np.exp(-squared / 8)  # noqa: E731
    expected = k(1) + k(4) - 2 * (k(4) + k(16) + k(1) + k(9)) / 4
    assert maximum_mean_discrepancy(x, y).value == pytest.approx(expected)


def test_mmd_has_no_bias():
    rng = np.random.default_rng(0)
    values = [maximum_mean_discrepancy(rng.normal(size=(8, 3)), rng.normal(size=(12, 3)), permutations=1).value for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 300**0.5


def test_sets_of_one_distribution_seldom_have_a_small_p():
    rng = np.random.default_rng(1)
    drawn = [(rng.normal(size=(12, 6)), rng.normal(size=(15, 6))) for _ in range(60)]
    small = sum(maximum_mean_discrepancy(x, y, permutations=99).p <= 0.1 for x, y in drawn)
    assert 1 <= small <= 13
    small = sum(classifier_two_sample(x, y, seed=0, permutations=9).p <= 0.1 for x, y in drawn[:15])
    assert small <= 5


def test_shifted_sets_have_a_small_p_and_tell_by_what():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(20, 5)), rng.normal(size=(14, 5))
    y[:, 3] += 2.0
    found = shift(x, y, [*"abc", "brightness", "e"])
    assert found.images == (20, 14)
    assert all(test.p < 0.02 for test in found.tests)
    assert found.tests[1].value > 0.75
    assert found.differences[0][0] == "brightness"
    assert found.differences[0][1] == pytest.approx(2.0, abs=0.7)


def test_images_of_one_patient_are_no_evidence_of_their_own():
    """Sets of one distribution, of each patient six images that are nearly the same: by images they differ surely, by patients seldom."""
    rng = np.random.default_rng(5)
    by_images, by_patients = [], []
    for n in range(12):
        x, y = (np.repeat(rng.normal(size=(6, 3)), 6, 0) + 0.05 * rng.normal(size=(36, 3)) for _ in range(2))
        patients = tuple([f"{name}{place // 6}" for place in range(36)] for name in "xy")
        by_images.append(maximum_mean_discrepancy(x, y, permutations=99).p)
        by_patients.append(maximum_mean_discrepancy(x, y, permutations=99, patients=patients).p)
        if n < 1:
            assert classifier_two_sample(x, y, 0, 19, patients).p > 0.05
    assert np.mean(np.array(by_images) <= 0.05) > 0.8
    assert np.mean(np.array(by_patients) <= 0.05) < 0.3
    y += 3
    assert all(test.p < 0.05 for test in shift(x, y, [*"abc"], patients=patients).tests)
    with pytest.raises(DatasetError, match="36 and 24 images of 6 and 4 patients to compare; at least 5 patients each are needed"):
        shift(x, y[:24], [*"abc"], patients=(patients[0], patients[1][:24]))


def test_each_patients_images_stay_together():
    unit, member = _units(3, 2, (["a", "b", "a"], ["a", "c"]))
    assert unit.tolist() == [0, 1, 0, 2, 3] and member.tolist() == [0, 0, 1, 1]


def test_spread_alone_is_seen_by_mmd():
    rng = np.random.default_rng(3)
    assert maximum_mean_discrepancy(rng.normal(size=(40, 2)), 4 * rng.normal(size=(40, 2))).p < 0.01


def test_few_images_are_refused_and_constant_figures_left_out():
    rng = np.random.default_rng(4)
    with pytest.raises(DatasetError, match="3 and 9 images"):
        shift(rng.normal(size=(3, 2)), rng.normal(size=(9, 2)), ["a", "b"])
    same = [np.column_stack([rng.normal(size=8), np.full(8, 7.0)]) for _ in range(2)]
    assert [name for name, _ in shift(*same, ["varying", "constant"]).differences] == ["varying"]


def write_site(folder, count, seed, noise, spacing):
    pairs = []
    rng = np.random.default_rng(seed)
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    grid = Geometry((12, 11, 10), np.diag([spacing, 1.0, 1.0, 1.0]))
    smooth = np.add.outer(np.add.outer(np.arange(12.0), np.arange(11.0)), np.arange(10.0))
    labels = np.zeros(grid.shape, np.uint8)
    labels[4:8, 4:8, 4:8] = 1
    for n in range(count):
        name = f"{folder.name}_{n}"
        image = smooth * rng.uniform(0.8, 1.2) + noise * rng.normal(size=grid.shape)
        write_volume(Volume(image[np.newaxis].astype(np.float32), grid), folder / "imagesTr" / f"{name}.nii.gz")
        write_label_map(LabelMap(labels, grid, LABELS), folder / "labelsTr" / f"{name}.nii.gz")
        pairs.append({"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"})
    described = {"name": folder.name, "labels": {"0": "background", "1": "Front"}, "modality": {"0": "MRI"}, "training": pairs}
    (folder / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def run(*arguments):
    run_command(command, "shift", *arguments)


def p_values(told):
    return [line.split(" | ")[4] for line in told.splitlines() if "classifier" in line or "MMD" in line]


def test_the_command_tells_another_scanner(tmp_path, capsys):
    usual, noisy = (write_site(tmp_path / name, 8, n, noise, 1.0) for n, (name, noise) in enumerate([("a", 1.0), ("b", 4.0)]))
    run(usual, noisy)
    told = capsys.readouterr().out
    assert all(float(p.replace("< ", "")) < 0.05 for p in p_values(told))
    assert "second difference" in told or "gradient" in told


def test_the_command_compares_the_sites_of_one_dataset(tmp_path, capsys):
    data = write_site(tmp_path / "all", 14, 5, 1.0, 1.0)
    rows = "\n".join(f"all_{n},{['north', 'south'][n % 2]}" for n in range(14))
    (tmp_path / "sites.csv").write_text(f"name,site\n{rows}\n", encoding="utf-8")
    run(data, "--column", "site", "--table", tmp_path / "sites.csv")
    told = capsys.readouterr().out
    assert "| north against south | 7 + 7 |" in told
    assert all(float(p) > 0.01 for p in p_values(told))
    with pytest.raises(DatasetError, match="expected two, or one with --column"):
        run(data)
    with pytest.raises(DatasetError, match="--table adds columns to one dataset"):
        run(data, data, "--table", tmp_path / "sites.csv")


def test_the_command_listens_to_a_models_network(tiny_model, tmp_path, capsys):
    first, second = (write_site(tmp_path / name, 5, n, 1.0, 1.0) for n, name in enumerate("ab"))
    run(first, second, "--model", tiny_model)
    assert "of channel" in capsys.readouterr().out
