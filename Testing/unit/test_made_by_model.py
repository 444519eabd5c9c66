"""Files say which model made them, in every format, and a batch passes them over."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from deepseg import api
from deepseg.cohort.cases import find_cases
from deepseg.golden import phantom
from deepseg.io import made_by_model


@pytest.fixture(scope="module")
def a_result(tiny_bundle):
    return api.segment(phantom(1), tiny_bundle, probabilities=False)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_label_map_says_which_model_made_it(suffix, a_result, tiny_bundle, tmp_path):
    path = tmp_path / f"result{suffix}"
    api.write_label_map(a_result.labels, path)
    assert made_by_model(path)
    line = f"DeepSeg: {tiny_bundle.spec.id} {tiny_bundle.spec.version} {tiny_bundle.sha256[:12]}"
    if "nii" in suffix:
        assert nibabel.load(path).header["descrip"].item().decode() == line
    else:
        stored = sitk.ReadImage(str(path))
        assert stored.GetMetaData("ITK_FileNotes") == line
        assert stored.GetMetaData("DeepSeg.ModelSha256") == tiny_bundle.sha256


def test_an_image_and_a_broken_file_do_not(tmp_path):
    api.write_volume(phantom(1), tmp_path / "image.nii.gz")
    (tmp_path / "broken.nii.gz").write_bytes(b"nothing")
    assert not made_by_model(tmp_path / "image.nii.gz")
    assert not made_by_model(tmp_path / "broken.nii.gz")


def test_a_batch_passes_results_over_unless_they_are_named(a_result, tiny_bundle, tmp_path):
    api.write_volume(phantom(1), tmp_path / "image.nii.gz")
    api.write_label_map(a_result.labels, tmp_path / "result.nii.gz")
    doubt = api.Volume(np.zeros((1, *a_result.geometry.shape), np.float32), a_result.geometry)
    api.write_volume(doubt, tmp_path / "doubt.nii.gz", a_result.provenance)
    for given in (str(tmp_path), str(tmp_path / "*.nii.gz")):
        assert [case.name for case in find_cases([given], tmp_path / "out", tiny_bundle.spec, {})] == ["image"]
    assert [case.name for case in find_cases([str(tmp_path / "result.nii.gz")], tmp_path / "out", tiny_bundle.spec, {})] == ["result"]
