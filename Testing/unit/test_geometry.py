"""Positions against nibabel and SimpleITK, which know nothing of our conventions."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nibabel.orientations import axcodes2ornt, io_orientation

from deepseg.errors import RegionError, VolumeError
from deepseg.geometry import Box, Geometry, flip_lps_ras, reverse_axes
from phantoms import awkward_grid, numbered_volume, turn

CODES = ["".join(letters) for axes in permutations(("RL", "AP", "SI")) for letters in product(*axes)]


def matrix_of(directions, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(directions) * spacing
    matrix[:3, 3] = origin
    return matrix


def test_there_are_exactly_48_orientations():
    assert len(set(CODES)) == 48


@pytest.mark.parametrize("code", CODES)
def test_reordering_axes_agrees_with_nibabel_and_moves_no_voxel(code, phantom):
    orientation = phantom.geometry.orientation_to(code)
    grid = phantom.geometry.reoriented(orientation)
    array = orientation.apply(phantom.array)[0]

    source = nib.Nifti1Image(phantom.array[0], phantom.geometry.ijk_to_ras)
    wanted = nib.orientations.ornt_transform(io_orientation(source.affine), axcodes2ornt(code))
    expected = source.as_reoriented(wanted)
    assert "".join(nib.aff2axcodes(grid.ijk_to_ras)) == code
    np.testing.assert_array_equal(array, np.asanyarray(expected.dataobj))
    np.testing.assert_allclose(grid.ijk_to_ras, expected.affine, atol=1e-12)
    assert grid.shape == array.shape


@pytest.mark.parametrize("code", CODES)
def test_reordering_back_gives_the_same_array(code, phantom):
    orientation = phantom.geometry.orientation_to(code)
    np.testing.assert_array_equal(orientation.inverse().apply(orientation.apply(phantom.array)), phantom.array)


def test_orientation_of_any_turned_grid_is_the_one_nibabel_gives():
    rng = np.random.default_rng(3)
    for _ in range(500):
        directions, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        grid = Geometry((3, 4, 5), matrix_of(directions, (0.7, 0.7, 5.0)))
        orientation = grid.orientation_to("RAS")
        found = [(orientation.order.index(axis), -1 if orientation.flipped[orientation.order.index(axis)] else 1) for axis in range(3)]
        assert found == [(int(world), int(sign)) for world, sign in io_orientation(grid.ijk_to_ras)], directions


@pytest.mark.parametrize("code", ["".join(letters) for letters in permutations("IJK")])
def test_axes_as_stored_are_permuted_without_a_flip(code, phantom):
    orientation = phantom.geometry.orientation_to(code)
    grid = phantom.geometry.reoriented(orientation)
    letters = {"I": (4, 1, 2), "J": (3, 6, 2), "K": (3, 1, 5)}
    array = orientation.apply(phantom.array)[0]
    steps = {letters["I"]: (1, 0, 0), letters["J"]: (0, 5, 0), letters["K"]: (0, 0, 3)}
    start = [{"I": 3, "J": 1, "K": 2}[letter] for letter in code]
    for axis, letter in enumerate(code):
        ahead = list(start)
        ahead[axis] += sum(steps[letters[letter]])
        assert array[tuple(ahead)] == phantom.array[0][letters[letter]]
        np.testing.assert_allclose(grid.ras_from_ijk(ahead), phantom.geometry.ras_from_ijk(letters[letter]), atol=1e-12)
    np.testing.assert_array_equal(orientation.inverse().apply(orientation.apply(phantom.array)), phantom.array)


def test_world_positions_are_those_of_nibabel(phantom):
    ijk = np.array([[0, 0, 0], [8, 0, 0], [0, 10, 0], [0, 0, 6], [2.5, 3.25, 1.5]])
    np.testing.assert_allclose(phantom.geometry.ras_from_ijk(ijk), nib.affines.apply_affine(phantom.geometry.ijk_to_ras, ijk), atol=1e-12)
    np.testing.assert_allclose(phantom.geometry.ijk_from_ras(phantom.geometry.ras_from_ijk(ijk)), ijk, atol=1e-12)


def test_itk_description_puts_voxels_where_simpleitk_puts_them(oblique_grid):
    image = sitk.Image(list(oblique_grid.shape), sitk.sitkUInt8)
    origin, spacing, directions = oblique_grid.to_lps()
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(directions)
    for ijk in ((0, 0, 0), (8, 0, 0), (0, 10, 0), (0, 0, 6), (3, 5, 2)):
        left, posterior, superior = image.TransformIndexToPhysicalPoint(ijk)
        np.testing.assert_allclose(oblique_grid.ras_from_ijk(ijk), (-left, -posterior, superior), atol=1e-12)
    again = Geometry.from_lps(image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    np.testing.assert_allclose(again.ijk_to_ras, oblique_grid.ijk_to_ras, atol=1e-12)


def test_lps_ras_conversion_is_its_own_inverse(oblique_grid):
    flipped = flip_lps_ras(oblique_grid.ijk_to_ras)
    np.testing.assert_array_equal(flipped[:2], -oblique_grid.ijk_to_ras[:2])
    np.testing.assert_array_equal(flip_lps_ras(flipped), oblique_grid.ijk_to_ras)


def test_reversed_axes_are_those_of_simpleitk(phantom):
    image = sitk.GetImageFromArray(reverse_axes(phantom.array[0]))
    assert image.GetSize() == phantom.geometry.shape
    assert image.GetPixel(8, 3, 1) == phantom.array[0, 8, 3, 1]


def test_spacing_directions_and_volume_of_an_oblique_grid(oblique_grid):
    np.testing.assert_allclose(oblique_grid.spacing_mm, (0.7, 0.7, 5.0), atol=1e-12)
    np.testing.assert_allclose(oblique_grid.directions.T @ oblique_grid.directions, np.eye(3), atol=1e-12)
    assert np.linalg.det(oblique_grid.directions) == pytest.approx(-1.0), "the grid is left-handed"
    assert oblique_grid.voxel_volume_ml == pytest.approx(0.7 * 0.7 * 5.0 / 1000)
    np.testing.assert_allclose(oblique_grid.center_ras, oblique_grid.corners_ras().mean(0), atol=1e-12)


def test_grids_are_close_when_no_corner_is_further_away_than_the_tolerance(oblique_grid):
    shifted = oblique_grid.ijk_to_ras.copy()
    shifted[0, 3] += 0.5
    assert oblique_grid.is_close(Geometry(oblique_grid.shape, shifted), atol_mm=0.51)
    assert not oblique_grid.is_close(Geometry(oblique_grid.shape, shifted), atol_mm=0.49)
    turned = oblique_grid.ijk_to_ras.copy()
    turned[:3, :3] = turn(0.0, 0.0, 1.0) @ turned[:3, :3]
    assert not oblique_grid.is_close(Geometry(oblique_grid.shape, turned))
    assert not oblique_grid.is_close(Geometry((9, 11, 8), oblique_grid.ijk_to_ras))


def test_a_crop_keeps_every_voxel_in_its_place(oblique_grid):
    part = oblique_grid.cropped((2, 3, 1), (4, 5, 2))
    np.testing.assert_allclose(part.ras_from_ijk((1, 2, 1)), oblique_grid.ras_from_ijk((3, 5, 2)), atol=1e-12)
    assert part.shape == (4, 5, 2)


@pytest.mark.parametrize("shape", [(18, 5, 7), (4, 11, 1)])
def test_another_extent_keeps_the_outer_faces(shape, oblique_grid):
    grid = oblique_grid.with_extent(shape)
    assert grid.shape == shape
    np.testing.assert_allclose(grid.ras_from_ijk([-0.5, -0.5, -0.5]), oblique_grid.ras_from_ijk([-0.5, -0.5, -0.5]), atol=1e-12)
    np.testing.assert_allclose(
        grid.ras_from_ijk(np.subtract(shape, 0.5)), oblique_grid.ras_from_ijk(np.subtract(oblique_grid.shape, 0.5)), atol=1e-12
    )
    np.testing.assert_allclose(grid.directions, oblique_grid.directions, atol=1e-12)


def test_a_box_on_a_straight_grid_takes_the_voxels_whose_centres_it_holds():
    grid = Geometry((10, 12, 8), matrix_of(np.diag([-1.0, 1.0, -1.0]), (0.7, 1.1, 2.0), (5.0, -6.0, 7.0)))
    box = Box((0.0, -3.0, -5.0), (3.2, 2.3, 3.5))
    centres = grid.ras_from_ijk(np.indices(grid.shape).transpose(1, 2, 3, 0))
    inside = ((centres >= box.minimum_ras) & (centres <= box.maximum_ras)).all(-1)
    taken = np.zeros(grid.shape, bool)
    taken[grid.slices_of(box)] = True
    np.testing.assert_array_equal(taken, inside)


def test_a_box_on_an_oblique_grid_loses_no_voxel_centre():
    grid = awkward_grid((40, 50, 12), (0.9, 0.8, 2.0))
    box = Box.from_center(grid.center_ras, (12.0, 9.0, 7.0))
    centres = grid.ras_from_ijk(np.indices(grid.shape).transpose(1, 2, 3, 0))
    inside = ((centres >= box.minimum_ras) & (centres <= box.maximum_ras)).all(-1)
    assert inside.any()
    taken = np.zeros(grid.shape, bool)
    taken[grid.slices_of(box)] = True
    assert taken[inside].all()
    assert not taken.all()


@pytest.mark.parametrize("far", [1e3, 1e12, 1e30])
def test_a_box_larger_than_the_volume_takes_all_of_it(far, oblique_grid):
    assert oblique_grid.slices_of(Box((-far,) * 3, (far,) * 3)) == tuple(slice(0, n) for n in oblique_grid.shape)


def test_a_box_that_overlaps_is_cut_at_the_border():
    grid = Geometry((10, 10, 10), np.eye(4))
    assert grid.slices_of(Box((-5.0, 3.0, 8.0), (2.0, 4.5, 99.0))) == (slice(0, 3), slice(3, 5), slice(8, 10))


@pytest.mark.parametrize(
    "box",
    [Box((100.0, 100.0, 100.0), (110.0, 110.0, 110.0)), Box((-9.0, 1.0, 1.0), (-1.0, 3.0, 3.0)), Box((2.2, 1.0, 1.0), (2.8, 3.0, 3.0))],
    ids=["far away", "beside one face", "between voxels"],
)
def test_a_box_without_a_voxel_is_refused_with_where_the_volume_is(box):
    with pytest.raises(RegionError, match=r"holds no voxel of the volume, which spans \(0, 0, 0\) to \(9, 9, 9\) mm"):
        Geometry((10, 10, 10), np.eye(4)).slices_of(box)


@pytest.mark.parametrize(
    ("low", "high"),
    [((0, 0, 0), (1, 1, 0)), ((0, 0, 0), (1, -1, 1)), ((0, 0, 0), (1, 1, np.nan)), ((0, 0, -np.inf), (1, 1, 1)), ((0, 0), (1, 1))],
    ids=["flat", "inside out", "NaN", "infinite", "two numbers"],
)
def test_a_box_without_size_is_refused(low, high):
    with pytest.raises(RegionError):
        Box(low, high)


@pytest.mark.parametrize(
    ("shape", "matrix", "says"),
    [
        ((3, 4), np.eye(4), "three axes"),
        ((3, 4, 0), np.eye(4), "at least one voxel"),
        ((3, 4, 5), np.eye(3), "not finite"),
        ((3, 4, 5), np.diag([1, 1, np.nan, 1]), "not finite"),
        ((3, 4, 5), np.diag([1, 0.0, 1, 1]), "longer than 0 mm"),
        ((3, 4, 5), matrix_of([[1, 0.2, 0], [0, 1, 0], [0, 0, 1]]), "not perpendicular"),
        ((3, 4, 5), matrix_of([[1, 1, 0], [0, 0, 1], [0, 0, 0]]), "not perpendicular"),
    ],
    ids=["2D", "empty", "3x3", "NaN", "no thickness", "sheared", "flat"],
)
def test_an_impossible_grid_is_refused(shape, matrix, says):
    with pytest.raises(VolumeError, match=says):
        Geometry(shape, matrix)


def test_a_grid_cannot_be_changed_from_outside(oblique_grid):
    matrix = np.eye(4)
    grid = Geometry((3, 4, 5), matrix)
    matrix[0, 3] = 99.0
    assert grid.ijk_to_ras[0, 3] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        grid.ijk_to_ras[0, 3] = 1.0


def test_a_numbered_volume_has_six_different_faces(oblique_grid):
    array = numbered_volume(oblique_grid).array[0]
    faces = [array[0].mean(), array[-1].mean(), array[:, 0].mean(), array[:, -1].mean(), array[:, :, 0].mean(), array[:, :, -1].mean()]
    assert len(set(faces)) == 6
