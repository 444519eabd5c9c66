"""Boxes, upright and turned, against arithmetic on every voxel centre."""

import json

import numpy as np
import pytest

from deepseg.box import UPRIGHT, Box
from deepseg.errors import RegionError
from deepseg.geometry import Geometry
from phantoms import awkward_grid, turn

TURNED = tuple(map(tuple, turn(25.0, -40.0, 10.0).T.tolist()))
SIZE = (13.0, 9.0, 17.0)


def half_spaces(box: Box, geometry: Geometry) -> np.ndarray:
    """Voxel centres between the three pairs of faces, from the box's eight corners alone."""
    corners = box.corners_ras()
    centres = geometry.ras_from_ijk(np.indices(geometry.shape).transpose(1, 2, 3, 0))
    inside = np.ones(geometry.shape, bool)
    # Of the corners in this order, 1, 2 and 4 are the neighbours of corner 0.
    for neighbour in (1, 2, 4):
        edge = corners[neighbour] - corners[0]
        share = (centres - corners[0]) @ edge / (edge @ edge)
        inside &= (share >= 0) & (share <= 1)
    return inside


@pytest.mark.parametrize("grid", [awkward_grid((40, 50, 12), (0.9, 0.8, 2.0)), Geometry((30, 30, 30), np.eye(4))], ids=["oblique", "straight"])
@pytest.mark.parametrize("axes", [UPRIGHT, TURNED], ids=["upright", "turned"])
def test_a_box_contains_exactly_the_voxel_centres_between_its_faces(axes, grid):
    box = Box.from_center(grid.ras_from_ijk([17.3, 14.2, 5.1]), SIZE, axes)
    where = grid.slices_of(box)
    found = np.zeros(grid.shape, bool)
    found[where] = box.contains(grid, where)
    expected = half_spaces(box, grid)
    np.testing.assert_array_equal(found, expected)
    assert expected.any()
    share = expected.sum() * grid.voxel_volume_ml * 1000 / np.prod(SIZE)
    assert 0.8 < share < 1.25, "as many voxels as the box's volume says"


def test_an_upright_box_on_a_straight_grid_contains_its_whole_block():
    grid = Geometry((10, 12, 8), np.diag([0.7, -1.1, 2.0, 1.0]))
    box = Box((0.7, -9.9, 2.0), (3.5, -1.1, 8.0))
    where = grid.slices_of(box)
    assert where == (slice(1, 6), slice(1, 10), slice(1, 5))
    assert box.contains(grid, where).all()


def test_a_box_between_the_voxels_of_a_turned_grid_is_refused():
    """Its block of voxels is not empty, but none of their centres lies inside."""
    grid = awkward_grid((40, 50, 12), (1.0, 1.0, 5.0))
    box = Box.from_center(grid.ras_from_ijk([20, 25, 5.5]), (20.0, 20.0, 0.5), tuple(map(tuple, grid.directions.T.tolist())))
    with pytest.raises(RegionError, match="before it is turned, holds no voxel"):
        grid.slices_of(box)


def test_right_angles_make_an_upright_box():
    box = Box.from_center((1.0, 2.0, 3.0), (4.0, 6.0, 8.0), ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)))
    assert box == Box((-2.0, -2.0, 1.0), (4.0, 6.0, 5.0))


@pytest.mark.parametrize("box", [Box((1.0, 2.0, 3.0), (4.0, 5.0, 6.5)), Box.from_center((1.0, -2.0, 3.0), SIZE, TURNED)], ids=["upright", "turned"])
def test_a_box_survives_json(box):
    assert Box.from_json(json.loads(json.dumps(box.to_json()))) == box


def test_an_upright_box_is_written_as_two_corners_as_older_files_have_it():
    assert Box((1, 2, 3), (4, 5, 6)).to_json() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


@pytest.mark.parametrize("value", [None, 3, [[1, 2, 3]], [[1, 2, 3], [4, 5, "x"]], [[0, 0, 0], [1, 1, 1], [[1, 0, 0], [0, 1, 0], [0.2, 0, 1]]]])
def test_what_is_no_box_is_refused(value):
    with pytest.raises(RegionError):
        Box.from_json(value)


def test_words_tell_where_and_how_it_is_turned():
    assert Box((1, 2, 3), (4, 5, 6)).in_words() == "(1, 2, 3) to (4, 5, 6) mm RAS"
    assert "turned to the axes" in Box.from_center((0, 0, 0), SIZE, TURNED).in_words()
