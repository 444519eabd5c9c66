"""Volumes on other grids meet by their place in the world."""

import numpy as np
import pytest

from deepseg.errors import VolumeError
from deepseg.geometry import Geometry
from deepseg.stacking import stack_volumes
from deepseg.volume import Volume
from phantoms import awkward_grid, turn


def ramp_on(geometry: Geometry, name: str, unit: str = "a.u.", modality: str = "") -> Volume:
    """A linear function of the world position, which linear resampling must give back exactly on any grid."""
    ras = geometry.ras_from_ijk(np.indices(geometry.shape).transpose(1, 2, 3, 0))
    return Volume((100 + ras @ (1.0, -2.0, 0.5)).astype(np.float32)[np.newaxis], geometry, (unit,), name, (modality,))


@pytest.fixture
def first() -> Volume:
    return ramp_on(awkward_grid((12, 14, 6), (1.0, 1.2, 3.0)), "t1.nii.gz", modality="MR")


def grid_around(center, shape, spacing_mm, degrees=(0.0, 0.0, 0.0)) -> Geometry:
    matrix = np.eye(4)
    matrix[:3, :3] = turn(*degrees) * spacing_mm
    matrix[:3, 3] = np.asarray(center) - matrix[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Geometry(shape, matrix)


def test_volumes_on_one_grid_are_stacked_as_they_are(first):
    second = Volume(first.array + 1, first.geometry, ("SUV",), "pet", ("PT",))
    both, notes = stack_volumes([first, second])
    np.testing.assert_array_equal(both.array, np.concatenate([first.array, second.array]))
    assert (both.units, both.modalities, both.name, notes) == (("a.u.", "SUV"), ("MR", "PT"), "t1.nii.gz + pet", [])


def test_a_single_volume_stays_itself(first):
    assert stack_volumes([first]) == (first, [])


@pytest.mark.parametrize("degrees", [(0, 0, 0), (90, 0, 180), (25, -40, 70)], ids=["straight", "axes swapped", "oblique"])
def test_another_grid_is_resampled_by_its_place_in_the_world(degrees, first):
    other = ramp_on(grid_around(first.geometry.center_ras, (50, 50, 60), (1.1, 0.9, 0.8), degrees), "flair.nrrd")
    both, (note,) = stack_volumes([first, other])
    assert both.geometry is first.geometry
    np.testing.assert_allclose(both.array[1], first.array[0], atol=1e-3)
    assert note == (
        "'flair.nrrd' (50 x 50 x 60 voxels of 1.1 x 0.9 x 0.8 mm) was resampled to the grid of 't1.nii.gz' (12 x 14 x 6 voxels of 1 x 1.2 x 3 mm)."
    )


def test_outside_the_other_field_of_view_lies_its_minimum_and_the_share_is_said():
    first = ramp_on(Geometry((20, 10, 10), np.eye(4)), "ct")
    half = ramp_on(Geometry((10, 10, 10), np.eye(4)), "pet")
    both, (note,) = stack_volumes([first, half])
    np.testing.assert_allclose(both.array[1, :10], half.array[0], atol=1e-4)
    assert (both.array[1, 10:] == half.array.min()).all()
    assert note.endswith("; 50 % of its voxels lie outside 'pet' and got that image's minimum.")


def test_images_apart_in_space_are_refused_with_where_they_lie(first):
    far = ramp_on(grid_around(np.add(first.geometry.center_ras, (0, 500, 0)), (9, 9, 9), (1, 1, 1)), "other patient")
    with pytest.raises(VolumeError, match=r"'other patient' does not overlap 't1.nii.gz' in space: it lies at \("):
        stack_volumes([first, far])


def test_nothing_is_refused():
    with pytest.raises(VolumeError, match="no image"):
        stack_volumes([])
