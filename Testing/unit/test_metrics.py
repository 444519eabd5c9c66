"""Metrics against numbers worked out by hand and against MONAI's."""

import numpy as np
import pytest
import torch

from deepseg.metrics import SurfaceDistances, dice, iou

SPACING = (1.0, 2.0, 0.5)


def box(start, stop, shape=(16, 14, 20)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


@pytest.fixture
def two_blobs():
    rng = np.random.default_rng(3)
    at = np.indices((24, 20, 28))
    return [
        sum((a - c) ** 2 for a, c in zip(at, center, strict=True)) < 40 + 8 * rng.standard_normal(at[0].shape)
        for center in ((11, 10, 13), (13, 9, 15))
    ]


def test_dice_and_iou_of_two_overlapping_boxes():
    a, b = box((2, 2, 2), (6, 6, 6)), box((4, 2, 2), (8, 6, 6))
    assert dice(a, b) == pytest.approx(0.5)
    assert iou(a, b) == pytest.approx(1 / 3)


def test_a_shifted_plane_is_its_shift_in_mm_away():
    a, b = box((5, 2, 2), (6, 9, 9)), box((8, 2, 2), (9, 9, 9))
    surfaces = SurfaceDistances.between(a, b, SPACING)
    assert surfaces.hausdorff_95_mm() == pytest.approx(3.0)
    assert surfaces.surface_dice(2.9) == 0.0
    assert surfaces.surface_dice(3.0) == 1.0


def test_spacing_is_taken_along_the_right_axis():
    for axis, expected in enumerate(SPACING):
        a = box((6, 6, 6), (7, 7, 7))
        b = np.roll(a, 1, axis)
        assert SurfaceDistances.between(a, b, SPACING).hausdorff_95_mm() == pytest.approx(expected)


def test_empty_masks():
    empty, full = box((0, 0, 0), (0, 0, 0)), box((2, 2, 2), (6, 6, 6))
    both = SurfaceDistances.between(empty, empty, SPACING)
    one = SurfaceDistances.between(full, empty, SPACING)
    assert (dice(empty, empty), iou(empty, empty), both.hausdorff_95_mm(), both.surface_dice(1.0)) == (1.0, 1.0, 0.0, 1.0)
    assert (dice(full, empty), iou(full, empty), one.surface_dice(1.0)) == (0.0, 0.0, 0.0)
    assert one.hausdorff_95_mm() == np.inf


def test_a_mask_that_touches_the_border_has_a_surface_there():
    a = box((0, 0, 0), (16, 14, 20))
    assert SurfaceDistances.between(a, a, SPACING).predicted_to_reference.size == 16 * 14 * 20 - 14 * 12 * 18


def test_equal_to_monai(two_blobs):
    from monai.metrics import compute_hausdorff_distance, compute_surface_dice

    predicted, reference = (torch.from_numpy(mask)[None, None].float() for mask in two_blobs)
    ours = SurfaceDistances.between(*two_blobs, SPACING)
    theirs = compute_hausdorff_distance(predicted, reference, include_background=True, percentile=95, spacing=SPACING)
    assert ours.hausdorff_95_mm() == pytest.approx(theirs.item(), abs=1e-4)
    theirs = compute_surface_dice(predicted, reference, [1.0], include_background=True, spacing=SPACING)
    assert ours.surface_dice(1.0) == pytest.approx(theirs.item(), abs=1e-4)
