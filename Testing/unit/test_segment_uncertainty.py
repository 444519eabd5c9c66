"""`deepseg segment --uncertainty` as a user types it."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk

from deepseg import api
from deepseg.cli import main
from deepseg.golden import phantom


@pytest.fixture
def an_image(tmp_path):
    api.write_volume(phantom(1), tmp_path / "image.nii.gz")
    return tmp_path / "image.nii.gz"


def test_maps_and_a_table_lie_beside_the_segments(an_image, tiny_bundle, tmp_path, capsys):
    out = tmp_path / "out.seg.nrrd"
    words = ["segment", an_image, "-m", tiny_bundle.folder, "-o", out, "--uncertainty", "--samples", "3", "--seed", "4"]
    assert main(list(map(str, words))) == 0
    said = capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} >= {"out-predictive-entropy.nii.gz", "out-mutual-information.nii.gz", "out-regions.csv"}
    expected = api.estimate_uncertainty(api.read_volume(an_image), tiny_bundle, sampler="augmentation", samples=3, seed=4)
    for name in ("predictive_entropy", "mutual_information"):
        written = api.read_volume(tmp_path / f"out-{name.replace('_', '-')}.nii.gz")
        np.testing.assert_array_equal(written.array[0], expected.maps[name].values)
        assert written.geometry.is_close(expected.prediction.geometry, 1e-3)
    segments = sitk.GetArrayFromImage(sitk.ReadImage(str(out)))
    np.testing.assert_array_equal(segments, expected.prediction.labels.array.transpose())
    regions = api.uncertain_regions(expected)
    with (tmp_path / "out-regions.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["segment"] for row in rows] == [region.label.name for region in regions]
    assert f"Regions in doubt, those first that could change most ({len(regions)}, the first 3; all in out-regions.csv):" in said
    assert {row["expected_error_ml"] for row in rows} == {""}, "nothing is promised without calibration"
    assert "two of the 3 samples (augmentation) agree on average to Dice 0." in said


def test_an_earlier_result_keeps_what_belongs_to_it(an_image, tiny_bundle, tmp_path, capsys):
    words = [str(word) for word in ("segment", an_image, "-m", tiny_bundle.folder, "-o", tmp_path / "out.nii.gz")]
    assert main([*words, "--uncertainty"]) == 0
    names = {path.name for path in tmp_path.iterdir()} - {"image.nii.gz"}
    assert main(words) == 0
    assert {path.name for path in tmp_path.iterdir()} - {"image.nii.gz", "out.nii.gz"} == {name.replace("out", "out.earlier") for name in names}
    assert "out.earlier.nii.gz" in capsys.readouterr().out


def test_a_seed_that_makes_no_difference_is_told(an_image, tiny_bundle, tmp_path, capsys):
    words = ["segment", an_image, "-m", tiny_bundle.folder, "-o", tmp_path / "out.nii.gz", "--uncertainty", "single-pass", "--seed", "3"]
    assert main([str(word) for word in words]) == 0
    assert "--seed makes no difference to single-pass with 1 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--uncertainty", "--seed", "-1"], "The seed is -1"),
        (["--samples", "3"], "--samples belongs to --uncertainty"),
        (["--uncertainty", "dropout"], "was trained without dropout"),
        (["--uncertainty", "--mirror"], "leave --mirror and --precision out"),
    ],
)
def test_a_wrong_wish_is_told_in_a_line_and_nothing_is_written(more, told, an_image, tiny_bundle, tmp_path, capsys):
    out = tmp_path / "out.seg.nrrd"
    assert main([str(word) for word in ("segment", an_image, "-m", tiny_bundle.folder, "-o", out, *more)]) == 2
    assert told in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"image.nii.gz"}
