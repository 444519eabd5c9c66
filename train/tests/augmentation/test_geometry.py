"""Geometry hits image and label alike, in one sampling."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from deepseg_train.augmentation import PatchGrid, apply, draw
from deepseg_train.augmentation.geometry.affine import AffineSettings, draw_affine
from deepseg_train.augmentation.geometry.elastic import FOLDS_FROM, Elastic, ElasticSettings, displacement, draw_elastic
from deepseg_train.augmentation.geometry.flip import FlipSettings
from deepseg_train.augmentation.geometry.labels import read_labels
from deepseg_train.augmentation.geometry.sampling import reading_places, sample

AFFINE = AffineSettings(1.0, (20.0, 20.0, 20.0), (0.8, 1.25), 0.1, 3.0)
ELASTIC = ElasticSettings(1.0, 12.0, (4.0, 4.8))
CHANGES = {
    "left-right": {"flip": FlipSettings(left_right=1.0)},
    "anterior-posterior": {"flip": FlipSettings(anterior_posterior=1.0)},
    "superior-inferior": {"flip": FlipSettings(superior_inferior=1.0)},
    "affine": {"affine": AFFINE},
    "elastic": {"elastic": ELASTIC},
    "all": {"flip": FlipSettings(1.0, 1.0, 1.0), "affine": AFFINE, "elastic": ELASTIC},
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_image_and_label_move_together(off, grid, phantom, changed):
    settings = replace(off, **changed)
    for seed in range(6):
        drawn = draw(settings, np.random.default_rng(seed), grid, (1, *phantom[0].shape[1:]))
        image, label = apply(drawn, *phantom)
        still = replace(drawn, flipped=(False,) * 3, affine=None, elastic=None)
        assert (label != apply(still, *phantom)[1]).sum() > 500  # it has moved indeed
        for value, threshold in ((1, 0.4), (2, 0.7)):
            told, drawn_label = image > threshold, label >= value
            # The steepest slope of the phantom is 0.2 a voxel, so this is a layer of half a voxel or less.
            far = (image - threshold).abs() > 0.07
            assert drawn_label.sum() > 200
            assert not (told != drawn_label)[far].any()
            assert (told != drawn_label).sum() < 0.06 * drawn_label.sum()


def test_a_patch_without_changes_is_cut_out_exactly(off, grid, phantom):
    for seed in range(5):
        drawn = draw(off, np.random.default_rng(seed), grid, (1, *phantom[0].shape[1:]))
        where = (slice(None), *(slice(s, s + n) for s, n in zip(drawn.start, grid.size, strict=True)))
        for array, patch in zip(phantom, apply(drawn, *phantom), strict=True):
            assert torch.equal(patch, array[where])


@pytest.mark.parametrize("axis", range(3))
def test_a_flip_is_exact(off, grid, phantom, axis):
    plain = draw(off, np.random.default_rng(0), grid, (1, *phantom[0].shape[1:]))
    flipped = replace(plain, flipped=tuple(n == axis for n in range(3)))
    for was, now in zip(apply(plain, *phantom), apply(flipped, *phantom), strict=True):
        assert torch.equal(now, was.flip(axis + 1))


@pytest.mark.parametrize(("orientation", "axis"), [("RAS", 0), ("LPS", 0), ("ASR", 2), ("SLP", 1)])
def test_directions_are_those_of_the_body(off, phantom, orientation, axis):
    settings = replace(off, flip=FlipSettings(left_right=1.0))
    drawn = draw(settings, np.random.default_rng(0), PatchGrid((8, 8, 8), orientation=orientation), phantom[0].shape)
    assert drawn.flipped == tuple(n == axis for n in range(3))


def test_flips_happen_as_often_as_asked(off, grid, phantom):
    settings = replace(off, flip=FlipSettings(0.5, 0.0, 0.9))
    flips = np.mean([draw(settings, np.random.default_rng(seed), grid, phantom[0].shape).flipped for seed in range(300)], axis=0)
    assert flips == pytest.approx([0.5, 0.0, 0.9], abs=0.08)


def test_an_image_smaller_than_the_patch_lies_in_its_middle(off, phantom):
    drawn = draw(off, np.random.default_rng(3), PatchGrid((48, 40, 37)), phantom[0].shape)
    row = drawn.start[1]
    assert 0 <= row <= 4
    for array, patch in zip(phantom, apply(drawn, *phantom), strict=True):
        expected = torch.nn.functional.pad(array[:, :, row : row + 40], (1, 2, 0, 0, 5, 5))
        assert torch.equal(patch, expected)


def test_patches_are_taken_around_labels_as_often_as_asked(off):
    grid, shape = PatchGrid((8, 8, 8)), (1, 60, 60, 60)
    foreground = np.array([[1, 50, 9, 30]] * 90 + [[2, 4, 40, 59]], np.int32)
    starts = {"(46, 5, 26)": 0, "(0, 36, 52)": 0}
    for seed in range(400):
        start = str(draw(replace(off, oversample_foreground=0.5), np.random.default_rng(seed), grid, shape, foreground).start)
        starts[start] = starts.get(start, 0) + 1
    # Each label is as likely, however many voxels it has; at the border the patch stays within the image.
    assert starts["(46, 5, 26)"] == pytest.approx(100, abs=30)
    assert starts["(0, 36, 52)"] == pytest.approx(100, abs=30)
    assert len(starts) > 180


def test_affine_sampling_equals_scipys(off, phantom):
    rng = np.random.default_rng(5)
    image = torch.from_numpy(rng.standard_normal((1, 21, 25, 18)).astype(np.float32))
    grid = PatchGrid((16, 22, 20), (1.0, 1.2, 2.5))
    settings = replace(off, affine=replace(AFFINE, scale=(1.3, 1.3)), flip=FlipSettings(1.0, 0.0, 1.0))
    drawn = draw(settings, rng, grid, image.shape)
    middle = (np.array(grid.size) - 1) / 2
    matrix = np.array(drawn.affine.matrix) @ np.diag([-1, 1, -1])
    offset = np.array(drawn.start) + middle + drawn.affine.translation - matrix @ middle
    expected = ndimage.affine_transform(image[0].numpy(), matrix, offset, grid.size, order=1, mode="grid-constant")
    found, _ = apply(drawn, image, torch.zeros(image.shape, dtype=torch.uint8))
    assert np.abs(found[0].numpy() - expected).max() < 1e-4
    assert np.abs(expected).max() > 1


def test_voxels_that_are_not_cubes_turn_without_shear():
    spacing = np.array([1.0, 1.0, 4.0])
    affine = draw_affine(AffineSettings(1.0, scale=(1.25, 1.25)), np.random.default_rng(0), PatchGrid((32, 32, 8), tuple(spacing)))
    in_mm = np.array(affine.matrix) * spacing[:, np.newaxis] / spacing
    # Things look 1.25 times larger, so the patch reads 1 / 1.25 of the way.
    assert in_mm @ in_mm.T == pytest.approx(np.eye(3) / 1.25**2, abs=1e-12)
    assert abs(affine.matrix[0][2]) > 2 * abs(affine.matrix[2][0]) > 0


def test_affine_numbers_stay_in_their_ranges():
    settings = AffineSettings(1.0, (10.0, 0.0, 0.0), (0.5, 2.0), 0.0, 6.0)
    grid = PatchGrid((8, 8, 8), (1.0, 2.0, 3.0))
    drawn = [draw_affine(settings, np.random.default_rng(seed), grid) for seed in range(400)]
    factors = np.array([np.linalg.det(a.matrix) ** (-1 / 3) for a in drawn])
    assert (factors.min(), factors.max()) == (pytest.approx(0.5, abs=0.02), pytest.approx(2.0, abs=0.05))
    assert np.median(factors) == pytest.approx(1.0, abs=0.1)  # as often smaller as larger
    moves = np.abs([a.translation for a in drawn]).max(0)
    assert moves == pytest.approx([6.0, 3.0, 2.0], rel=0.03)
    assert all(a.matrix[0] == pytest.approx((a.matrix[0][0], 0, 0)) for a in drawn)  # about I alone


def test_displacement_is_the_cubic_spline_of_its_control_points():
    grid = PatchGrid((17, 20, 9), (1.0, 1.0, 3.0))
    elastic = draw_elastic(ElasticSettings(1.0, 7.5, (2.0, 3.0)), np.random.default_rng(1), grid)
    moves = np.random.default_rng(elastic.seed).uniform(-1, 1, (3, *elastic.points)).astype(np.float32)
    at = np.indices(grid.size) / np.array(elastic.distance).reshape(3, 1, 1, 1) + 1
    found = displacement(elastic, grid.size).numpy()
    for axis in range(3):
        expected = elastic.reach[axis] * ndimage.map_coordinates(moves[axis], at, order=3, prefilter=False, mode="nearest")
        assert np.abs(found[axis] - expected).max() < 1e-5
    assert np.abs(found[0]).max() > 0.5
    assert elastic.reach[2] == pytest.approx(elastic.reach[0] / 3)


def test_the_strongest_displacement_folds_nothing():
    distance = 8.0
    for seed in range(10):
        field = displacement(Elastic((8, 8, 8), (distance,) * 3, (FOLDS_FROM * distance,) * 3, seed), (32, 32, 32)).numpy()
        jacobian = np.stack([np.stack(np.gradient(field[axis])) for axis in range(3)]) + np.eye(3).reshape(3, 3, 1, 1, 1)
        assert np.linalg.det(np.moveaxis(jacobian, (0, 1), (-2, -1))).min() > 0


def test_labels_are_those_with_most_weight(rng):
    label = torch.from_numpy(rng.choice([0, 1, 2, 7, 200], (1, 9, 11, 8)).astype(np.uint8))
    places = torch.from_numpy(rng.uniform(-3, 13, (3, 15, 16, 14)).astype(np.float32))
    values = [0, 1, 2, 7, 200]
    weights = np.stack([ndimage.map_coordinates((label[0] == v).numpy() * 1.0, places.numpy(), order=1, mode="grid-constant") for v in values])
    weights[0] += 1 - weights.sum(0)
    ranked = np.sort(weights, axis=0)
    clear = ranked[-1] - ranked[-2] > 1e-3  # the border of the voxel beyond the image is read as background from there on
    found = read_labels(label, places)[0].numpy()
    assert (found == np.array(values)[weights.argmax(0)])[clear].all()
    assert clear.mean() > 0.95
    assert read_labels(label.to(torch.int16) + 300, places).max() == 500


def test_a_patch_beside_the_image_is_empty(phantom):
    places = reading_places((100, 0, 0), (4, 5, 6), (False,) * 3, None, None)
    image, label = sample(*phantom, places)
    assert image.shape == (1, 4, 5, 6)
    assert float(image.abs().sum()) == 0
    assert int(label.sum()) == 0


def test_channels_share_their_geometry(off, grid, phantom):
    both = torch.cat([phantom[0], 3 * phantom[0]])
    image, _ = apply(draw(replace(off, affine=AFFINE, elastic=ELASTIC), np.random.default_rng(2), grid, both.shape), both, phantom[1])
    assert torch.allclose(image[1], 3 * image[0], atol=1e-5)


def test_a_flat_patch_of_a_slice_is_turned_in_its_plane(off):
    """Of models in two dimensions."""
    image = torch.randn(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    settings = replace(off, affine=AffineSettings(1.0, (30.0, 0.0, 0.0), (1.0, 1.0)))
    patch, label = apply(
        draw(settings, np.random.default_rng(0), PatchGrid((1, 20, 20)), image.shape), image, torch.ones(1, 1, 20, 20, dtype=torch.uint8)
    )
    assert patch.shape == (1, 1, 20, 20)
    assert float(patch.std()) > 0.4
    assert int(label[0, 0, 10, 10]) == 1
