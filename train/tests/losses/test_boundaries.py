"""Distances, and the two losses made of them."""

import numpy as np
import pytest
import torch
from monai import losses as stock

from deepseg_train.errors import ConfigError
from deepseg_train.losses.boundary import BoundaryLoss
from deepseg_train.losses.distances import signed_distances
from deepseg_train.losses.hausdorff import HausdorffLoss


def test_distances_by_brute_force():
    """Each voxel against all voxels of the other side, on voxels that are not cubes."""
    masks = torch.rand((2, 2, 4, 3, 3), generator=torch.Generator().manual_seed(0)).gt(0.7).float()
    spacing = (1.0, 2.5, 0.5)
    found = signed_distances(masks, spacing).numpy()
    at = np.moveaxis(np.indices(masks.shape[2:]), 0, -1) * spacing
    for mask, distances in zip(masks.bool().numpy().reshape(-1, 4, 3, 3), found.reshape(-1, 4, 3, 3), strict=True):
        for here in np.ndindex(4, 3, 3):
            nearest = np.linalg.norm(at[mask != mask[here]] - at[here], axis=1).min()
            assert distances[here] == pytest.approx(-nearest if mask[here] else nearest, rel=1e-6)


def test_without_a_boundary_distances_are_nought():
    masks = torch.stack([torch.zeros((3, 3, 3)), torch.ones((3, 3, 3))])[None]
    assert not signed_distances(masks, (1.0, 1.0, 1.0)).any()


# Four voxels of 2 mm in a row, the first two of label 1: signed distances -4, -2, 2, 4 mm.


def test_boundary_by_hand(logits_of, row):
    expected = (0.9 * -4 + 0.6 * -2 + 0.3 * 2 + 0.1 * 4) / 4
    loss = BoundaryLoss(spacing_mm=(2.0, 1.0, 1.0))
    assert loss(logits_of((0.9, 0.6, 0.3, 0.1)), row((1, 1, 0, 0))).item() == pytest.approx(expected, rel=1e-5)


def test_hausdorff_by_hand(logits_of, row):
    # Half is crossed after the first voxel: distances 2, 2, 4, 6 mm from there. Factors 4 + 16, 4 + 4, 16 + 4, 36 + 16.
    expected = (0.1**2 * 20 + 0.6**2 * 8 + 0.3**2 * 20 + 0.1**2 * 52) / 4
    loss = HausdorffLoss(alpha=2.0, spacing_mm=(2.0, 1.0, 1.0))
    assert loss(logits_of((0.9, 0.4, 0.3, 0.1)), row((1, 1, 0, 0))).item() == pytest.approx(expected, rel=1e-5)


def test_as_monai_has_them(some_logits, some_target):
    softmax = {"to_onehot_y": True, "softmax": True, "include_background": False}
    # In MONAI, as in the authors' code, voxels inside are one voxel nearer to the boundary.
    nearer = (some_logits.softmax(1)[:, 1:] * torch.cat([some_target == 1, some_target == 2], 1)).mean()
    torch.testing.assert_close(BoundaryLoss()(some_logits, some_target), stock.BoundaryLoss(**softmax)(some_logits, some_target) - nearer)
    torch.testing.assert_close(HausdorffLoss(1.5)(some_logits, some_target), stock.HausdorffDTLoss(alpha=1.5, **softmax)(some_logits, some_target))


@pytest.mark.parametrize("loss", [BoundaryLoss(), HausdorffLoss()])
def test_a_mistake_far_off_costs_more(loss):
    target = torch.zeros((1, 1, 16, 4, 4), dtype=torch.int64)
    target[:, :, :3] = 1

    def with_a_spot_at(i):
        logits = torch.where(target == 1, 5.0, -5.0)
        logits[:, :, i, 1, 1] = 5.0
        return loss(torch.cat([-logits, logits], 1), target)

    assert with_a_spot_at(5) < with_a_spot_at(9) < with_a_spot_at(14)


def test_a_power_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="alpha is 0"):
        HausdorffLoss(alpha=0.0)
