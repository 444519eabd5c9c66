import numpy as np
import pytest

from deepseg.errors import RegionError, VolumeError
from deepseg.geometry import Box, Geometry
from deepseg.volume import Label, LabelMap, Volume

GRID = Geometry((4, 5, 6), np.diag([0.5, 2.0, 3.0, 1.0]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_numbers_are_counted_and_refused(bad):
    array = np.ones((1, 4, 5, 6), np.float32)
    array[0, 1, 2, 3] = array[0, 0, 0, 0] = bad
    with pytest.raises(VolumeError, match=r"'head' holds 2 voxels that are not numbers \(NaN or infinite\) of 120"):
        Volume(array, GRID, name="head")


def test_numbers_too_large_for_float32_are_refused_without_a_warning():
    with pytest.raises(VolumeError, match="holds 120 voxels that are not numbers"):
        Volume(np.full((1, 4, 5, 6), 1e300), GRID)


@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 4, 5, 7), (1, 6, 5, 4)], ids=["no channel", "another size", "reversed"])
def test_an_array_that_does_not_fit_its_grid_is_refused(shape):
    with pytest.raises(VolumeError, match=r"expected \(C, I, J, K\)"):
        Volume(np.zeros(shape, np.float32), GRID)


def test_each_channel_needs_a_unit():
    with pytest.raises(VolumeError, match="2 channels but 1 units"):
        Volume(np.zeros((2, 4, 5, 6), np.float32), GRID)


def test_modalities_are_one_per_channel_or_unknown(phantom):
    assert Volume(np.zeros((2, 4, 5, 6), np.float32), GRID, ("a.u.", "SUV")).modalities == ("", "")
    ct = Volume(phantom.array, phantom.geometry, ("HU",), "ct", ("CT",))
    part, _ = ct.cropped(Box.from_center(phantom.geometry.center_ras, (3.0, 4.0, 6.0)))
    assert (part.units, part.name, part.modalities) == (("HU",), "ct", ("CT",))
    with pytest.raises(VolumeError, match="2 channels but 1 modalities"):
        Volume(np.zeros((2, 4, 5, 6), np.float32), GRID, ("a.u.", "SUV"), modalities=("MR",))


def test_voxels_become_float32():
    volume = Volume(np.full((1, 4, 5, 6), -1024, np.int16), GRID, ("HU",))
    assert volume.array.dtype == np.float32
    assert (volume.array == -1024).all()


def test_a_crop_holds_the_voxels_that_lie_at_the_same_place(phantom):
    box = Box.from_center(phantom.geometry.center_ras, (3.0, 4.0, 6.0))
    part, where = phantom.cropped(box)
    np.testing.assert_array_equal(part.array[0], phantom.array[0][where])
    assert 0 < part.array.size < phantom.array.size
    for ijk in np.ndindex(part.geometry.shape):
        at = np.rint(phantom.geometry.ijk_from_ras(part.geometry.ras_from_ijk(ijk))).astype(int)
        assert part.array[(0, *ijk)] == phantom.array[(0, *at)]


def test_a_crop_outside_the_volume_is_refused(phantom):
    with pytest.raises(RegionError):
        phantom.cropped(Box((500.0, 500.0, 500.0), (510.0, 510.0, 510.0)))


def test_the_volume_of_a_segment_counts_its_voxels_in_millilitres():
    array = np.zeros((4, 5, 6), np.uint8)
    array[1:3, 1:4, 2] = 7
    front, back = Label(7, "Front", (1, 0, 0)), Label(8, "Back", (0, 1, 0))
    labels = LabelMap(array, GRID, (front, back))
    assert labels.volume_ml(front) == pytest.approx(6 * 3.0 / 1000)
    assert labels.volume_ml(back) == 0.0


def test_a_label_map_needs_whole_numbers_on_its_grid():
    with pytest.raises(VolumeError, match="uint8 or uint16 voxels; got float32"):
        LabelMap(np.zeros((4, 5, 6), np.float32), GRID, ())
    with pytest.raises(VolumeError, match="does not fit a grid"):
        LabelMap(np.zeros((6, 5, 4), np.uint8), GRID, ())
