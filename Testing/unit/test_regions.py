"""Where to look: regions drawn by hand on an awkward grid."""

import numpy as np
import pytest

from deepseg.results import Prediction, Uncertainty, UncertaintyMap
from deepseg.uncertainty.regions import uncertain_regions
from deepseg.volume import Label, LabelMap
from phantoms import awkward_grid

LABELS = (Label(1, "Front", (0.9, 0.6, 0.0)), Label(2, "Back", (0.0, 0.45, 0.7)))


@pytest.fixture
def result() -> Uncertainty:
    """Certain background but for a large, mild region of label 1, a small, sharp one of label 2, and one contested voxel."""
    grid = awkward_grid((20, 16, 12))
    p = np.zeros((3, *grid.shape), np.float32)
    p[0] = 1
    p[:, 2:8, 3:9, 2:8] = np.array([0.35, 0.6, 0.05], np.float32)[:, None, None, None]
    p[:, 14:16, 10:12, 9:11] = np.array([0.4, 0.15, 0.45], np.float32)[:, None, None, None]
    p[:, 15, 11, 10] = [0.45, 0.1, 0.45]
    p[:, 11, 1, 1] = [0.5, 0.0, 0.5]
    first, second = np.sort(p, 0)[::-1][:2]
    labels = LabelMap(p.argmax(0).astype(np.uint8), grid, LABELS, {})
    margin = UncertaintyMap((1 - first + second).astype(np.float32), grid, "margin", "", "1", "total", 1.0)
    return Uncertainty(Prediction(labels, p, {}), {"margin": margin}, None, "single-pass", 1, None)


def test_regions_come_in_order_of_what_they_could_change(result):
    voxel = result.prediction.geometry.voxel_volume_ml
    large, small, single = uncertain_regions(result, smallest_ml=0.0)
    assert [large.label.name, small.label.name, single.label.name] == ["Front", "Back", "Back"]
    assert large.size_ml == pytest.approx(216 * voxel)
    assert large.change_ml == pytest.approx(216 * 0.4 * voxel, rel=1e-5)
    assert (large.mean, large.largest) == pytest.approx((0.75, 0.75))
    assert small.size_ml == pytest.approx(8 * voxel)
    assert small.change_ml == pytest.approx(8 * 0.55 * voxel, rel=1e-5)
    assert small.largest == pytest.approx(1.0)
    assert single.size_ml == pytest.approx(voxel)


def test_a_region_is_found_at_its_most_doubtful_voxel(result):
    small = uncertain_regions(result)[1]
    expected = result.prediction.geometry.ijk_to_ras @ [15, 11, 10, 1]
    assert small.position_ras_mm == pytest.approx(tuple(expected[:3]))


def test_small_and_clear_regions_are_left_out(result):
    voxel = result.prediction.geometry.voxel_volume_ml
    assert len(uncertain_regions(result, smallest_ml=2 * voxel)) == 2
