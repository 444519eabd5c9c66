"""Real cases, stored in other orientations and formats or on other scales, get the same segments at the same places."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from deepseg import api
from deepseg.volume import Volume


@pytest.fixture(scope="module")
def a_case(hippocampus_cases) -> Path:
    return hippocampus_cases[10]


@pytest.fixture(scope="module")
def a_model():
    return api.load_model("hippocampus-mr")


@pytest.fixture(scope="module")
def its_prediction(a_case, a_model):
    prediction = api.segment(api.read_volume(a_case), a_model)
    assert {1, 2} <= set(np.unique(prediction.labels.array)), "the case should show both labels"
    return prediction


def labels_at(prediction, ras: np.ndarray) -> np.ndarray:
    """Labels of the voxels at world positions (N, 3)."""
    at = prediction.geometry.ijk_from_ras(ras)
    np.testing.assert_allclose(at, np.rint(at), atol=1e-3)
    return prediction.labels.array[tuple(np.rint(at).astype(int).T)]


def assert_same_labels_in_the_world(prediction, expected) -> None:
    ijk = np.indices(expected.labels.array.shape).reshape(3, -1).T
    found = labels_at(prediction, expected.geometry.ras_from_ijk(ijk))
    assert prediction.labels.array.size == expected.labels.array.size
    differing = int((found != expected.labels.array.ravel()).sum())
    print(f"{differing} of {found.size} voxels differ")
    assert differing == 0


@pytest.mark.parametrize("code", ["LPS", "RAS", "SLA", "PIR", "ILP"])
def test_a_case_rewritten_in_another_orientation_gets_the_same_segments(code, a_case, a_model, its_prediction, tmp_path):
    image = nib.load(a_case)
    turned = image.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(code)))
    assert "".join(nib.aff2axcodes(turned.affine)) == code
    nib.save(turned, tmp_path / "turned.nii.gz")
    assert_same_labels_in_the_world(api.segment(api.read_volume(tmp_path / "turned.nii.gz"), a_model), its_prediction)


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_a_case_rewritten_in_another_format_gets_the_same_segments(suffix, a_case, a_model, its_prediction, tmp_path):
    sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(a_case)), "SAL"), str(tmp_path / f"case.{suffix}"))
    assert_same_labels_in_the_world(api.segment(api.read_volume(tmp_path / f"case.{suffix}"), a_model), its_prediction)


@pytest.mark.parametrize(("scale", "shift"), [(1e4, 0.0), (1e-4, 0.0), (3.0, -500.0)])
def test_the_scale_of_the_intensities_does_not_matter(scale, shift, a_case, a_model, its_prediction):
    volume = api.read_volume(a_case)
    scaled = api.segment(Volume(volume.array.astype(np.float64) * scale + shift, volume.geometry), a_model)
    differing = int((scaled.labels.array != its_prediction.labels.array).sum())
    print(f"x {scale:g} + {shift:g}: {differing} voxels differ")
    assert differing <= 2, "voxels whose two best labels are equally probable may fall either way"


def test_a_mirrored_head_gets_mirrored_segments_on_the_other_side(a_case, a_model, its_prediction):
    """The image content mirrored at the plane x = 0, stored without turning any array: only the affine changes.

    Preparing it reverses the array's first axis; the network therefore sees the mirror image of the case, and the answer has to lie where the
    mirrored head is. The network's own answer to a mirrored hippocampus may differ a little, so overlap is measured, not equality.
    """
    volume = api.read_volume(a_case)
    mirrored = api.Geometry(volume.geometry.shape, np.diag([-1.0, 1.0, 1.0, 1.0]) @ volume.geometry.ijk_to_ras)
    prediction = api.segment(Volume(volume.array, mirrored), a_model)
    for value in (1, 2):
        here, there = prediction.labels.array == value, its_prediction.labels.array == value
        overlap = 2 * (here & there).sum() / (here.sum() + there.sum())
        print(f"label {value}: Dice of the mirrored case with the case {overlap:.3f}")
        assert overlap > 0.7
        centre = mirrored.ras_from_ijk(np.argwhere(here)).mean(0)
        expected = volume.geometry.ras_from_ijk(np.argwhere(there)).mean(0) * (-1, 1, 1)
        assert np.linalg.norm(centre - expected) < 3.0
