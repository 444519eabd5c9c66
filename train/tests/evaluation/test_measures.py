"""Measures against numbers worked out by hand and against MONAI's and scikit-learn's."""

import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance
from sklearn.metrics import average_precision_score, roc_auc_score

from deepseg.metrics import SurfaceDistances
from deepseg_train.evaluation import ranking
from deepseg_train.evaluation.measures import MEASURES, VOLUMES, measured
from deepseg_train.evaluation.ranking import ranking_areas

SPACING = (1.0, 2.0, 0.5)


def mask(*slices, shape=(10, 10, 10)):
    found = np.zeros(shape, bool)
    if slices:
        found[slices] = True
    return found


def test_a_case_worked_out_by_hand():
    # Reference: 4 x 4 x 4; predicted: 2 layers of it and 1 layer beside it; a voxel has 1 mm3.
    reference, predicted = mask(slice(2, 6), slice(2, 6), slice(2, 6)), mask(slice(4, 7), slice(2, 6), slice(2, 6))
    found = measured(predicted, reference, SPACING)
    assert found["dice"] == pytest.approx(2 * 32 / (48 + 64))
    assert found["iou"] == pytest.approx(32 / 80)
    assert found["sensitivity"] == pytest.approx(32 / 64)
    assert found["precision"] == pytest.approx(32 / 48)
    assert found["specificity"] == pytest.approx((1000 - 80) / (1000 - 64))
    assert found["volume_error_percent"] == pytest.approx(-25)
    assert found["volume_error_ml"] == pytest.approx(-0.016)
    assert [found[name] for name in VOLUMES] == pytest.approx([0.048, 0.064, 1.0])
    assert math.isnan(found["auroc"]) and math.isnan(found["auprc"])
    assert list(found) == [*MEASURES, *VOLUMES]


def test_two_planes_have_their_distance_as_assd_and_hd95():
    found = measured(mask(slice(2, 3)), mask(slice(5, 6)), SPACING)
    assert found["assd_mm"] == pytest.approx(3)
    assert found["hd95_mm"] == pytest.approx(3)


def test_assd_weighs_each_surface_voxel():
    # One voxel against a row of three: distances 0 from the one, and 0, 2, 4 mm from the row.
    found = measured(mask(slice(4, 5), slice(4, 5), slice(4, 5)), mask(slice(4, 5), slice(4, 7), slice(4, 5)), SPACING)
    assert found["assd_mm"] == pytest.approx((0 + 0 + 2 + 4) / 4)


def test_assd_and_distances_are_those_of_monai_also_at_the_border_and_far_from_it():
    rng = np.random.default_rng(1)
    at = np.indices((30, 26, 22))
    for center in ((3, 2, 20), (15, 13, 10)):
        predicted, reference = (sum((a - c - s) ** 2 for a, c in zip(at, center, strict=True)) < 30 + 6 * rng.random(at[0].shape) for s in (0, 1))
        theirs = compute_average_surface_distance(
            *(torch.from_numpy(m)[None, None].float() for m in (predicted, reference)), include_background=True, symmetric=True, spacing=SPACING
        )
        assert SurfaceDistances.between(predicted, reference, SPACING).average_mm() == pytest.approx(theirs.item(), abs=1e-4)


def test_empty_masks_mean_what_the_table_says():
    empty, full, rest = mask(), mask(slice(2, 6)), mask(slice(0, 8))
    both = measured(empty, empty, SPACING, np.zeros(empty.shape))
    assert [both[m] for m in ("dice", "iou", "surface_dice_1mm", "hd95_mm", "assd_mm", "volume_error_ml", "specificity")] == [1, 1, 1, 0, 0, 0, 1]
    assert all(math.isnan(both[m]) for m in ("volume_error_percent", "sensitivity", "precision", "auroc", "auprc"))
    invented = measured(full, empty, SPACING, full.astype(float))
    assert [invented[m] for m in ("dice", "iou", "surface_dice_1mm", "hd95_mm", "assd_mm")] == [0, 0, 0, math.inf, math.inf]
    assert invented["volume_error_ml"] == pytest.approx(0.4)
    assert invented["specificity"] == pytest.approx(0.6)
    assert invented["precision"] == 0
    assert all(math.isnan(invented[m]) for m in ("volume_error_percent", "sensitivity", "auroc", "auprc"))
    missed = measured(empty, full, SPACING, rest / 2)
    assert [missed[m] for m in ("dice", "sensitivity", "specificity", "volume_error_percent", "hd95_mm")] == [0, 0, 1, -100, math.inf]
    assert math.isnan(missed["precision"])
    # 400 voxels with it, all at 0.5; of the 600 others 400 are at 0.5 and 200 at 0.
    assert missed["auroc"] == pytest.approx((200 + 400 / 2) / 600)
    assert missed["auprc"] == pytest.approx(400 / 800)


@pytest.mark.parametrize("decimals", [1, 2, 8])
def test_ranking_areas_are_those_of_scikit_learn_with_ties_too(decimals, monkeypatch):
    monkeypatch.setattr(ranking, "_PART", 700)  # several parts
    rng = np.random.default_rng(decimals)
    present = rng.random((15, 14, 13)) < 0.07
    probability = np.round(1 / (1 + np.exp(-rng.normal(size=present.shape) - 1.5 * present)), decimals).astype(np.float32)
    auroc, auprc = ranking_areas(probability, present)
    assert auroc == pytest.approx(roc_auc_score(present.ravel(), probability.ravel()), abs=1e-9)
    assert auprc == pytest.approx(average_precision_score(present.ravel(), probability.ravel()), abs=1e-9)


def test_a_ranking_by_hand():
    auroc, auprc = ranking_areas(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]))
    assert auroc == pytest.approx(3 / 4)
    assert auprc == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)


@pytest.mark.parametrize(
    ("name", "values", "worst"), [("dice", [0.9, 0.7, 0.8], 1), ("hd95_mm", [0.0, 1.0, 3.0], 2), ("volume_error_ml", [1, -3, 2], 1)]
)
def test_what_is_worse(name, values, worst):
    assert MEASURES[name].badness(np.array(values)).argmax() == worst
