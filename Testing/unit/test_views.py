"""Changed images and the way back."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from deepseg.uncertainty.views import Intensity, Mirror, Motion

SPACING = (0.8, 1.0, 2.5)


@pytest.fixture
def blob() -> torch.Tensor:
    """A smooth, asymmetric image (2, 30, 28, 14)."""
    noise = np.random.default_rng(1).normal(size=(2, 30, 28, 14))
    return torch.from_numpy(np.stack([ndimage.gaussian_filter(channel, (4, 3, 1.5)) for channel in noise]).astype(np.float32))


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_a_mirror_undoes_itself_to_the_last_digit(axes, blob):
    mirror = Mirror(axes)
    assert not torch.equal(mirror.apply(blob), blob)
    assert torch.equal(mirror.invert(mirror.apply(blob)), blob)


@pytest.mark.parametrize("motion", [((8.0, 0.0, 0.0), 1.0), ((0.0, -8.0, 0.0), 1.0), ((0.0, 0.0, 8.0), 1.0), ((4.0, -3.0, 5.0), 1.06)])
def test_a_motion_samples_where_its_matrix_says(motion, blob):
    """Against scipy, in mm, on a grid with three different spacings."""
    degrees, scale = motion
    view = Motion(degrees, scale, (1.5, -0.7, 2.0), SPACING)
    size = np.array(blob.shape[1:])
    to_mm = np.eye(4)
    to_mm[:3, :3] = np.diag(SPACING)
    to_mm[:3, 3] = -np.array(SPACING) * (size - 1) / 2
    voxels = np.linalg.inv(to_mm) @ view.matrix.numpy() @ to_mm
    expected = np.stack([ndimage.affine_transform(channel, voxels, order=1, mode="nearest") for channel in blob.numpy()])
    np.testing.assert_allclose(view.apply(blob).numpy(), expected, atol=2e-5)


def test_a_motion_and_its_way_back_are_each_others_inverse(blob):
    view = Motion((4.0, -3.0, 5.0), 1.05, (1.0, -1.0, 0.5), SPACING)
    back = view.matrix.inverse() @ view.matrix
    assert float((back - torch.eye(4, dtype=torch.float64)).abs().max()) < 1e-12
    inner = (slice(None), slice(6, -6), slice(6, -6), slice(3, -3))
    error = (view.invert(view.apply(blob)) - blob)[inner].abs().max() / blob.abs().max()
    print(f"after two interpolations {float(error):.3f} of the largest value")
    assert error < 0.08
    whole = Motion((0.0, 0.0, 0.0), 1.0, (0.8, 2.0, -2.5), SPACING)  # whole voxels: nothing is interpolated
    inner = (slice(None), slice(2, -2), slice(3, -3), slice(2, -2))
    assert float((whole.invert(whole.apply(blob)) - blob)[inner].abs().max()) < 1e-5
    assert float((whole.apply(blob) - blob).abs().max()) > 0.01


def test_a_positive_shift_shows_what_lies_further_on(blob):
    moved = Motion((0.0, 0.0, 0.0), 1.0, (0.8, 0.0, 0.0), SPACING).apply(blob)
    torch.testing.assert_close(moved[:, :-1], blob[:, 1:], atol=1e-5, rtol=0)


def test_intensities_come_from_their_seed_and_leave_places_alone(blob):
    view = Intensity(1.1, 0.2, 0.05, seed=4)
    assert torch.equal(view.apply(blob), view.apply(blob))
    assert not torch.equal(view.apply(blob), Intensity(1.1, 0.2, 0.05, seed=5).apply(blob))
    torch.testing.assert_close(Intensity(1.1, 0.2, 0.0, 1).apply(blob), 1.1 * blob + 0.2)
    assert torch.equal(view.invert(blob), blob)
