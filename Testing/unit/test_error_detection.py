"""Finding errors by doubt, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepseg.uncertainty.error_detection import aurc, auroc


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_auroc_is_that_of_scikit_learn_with_ties_too(decimals):
    rng = np.random.default_rng(decimals)
    wrong = rng.random((10, 20, 30)) < 0.1
    doubt = np.round(rng.normal(size=wrong.shape) + wrong, decimals)
    assert auroc(doubt, wrong) == pytest.approx(roc_auc_score(wrong.ravel(), doubt.ravel()))


def test_what_never_errs_has_no_auroc():
    assert np.isnan(auroc(np.arange(5.0), np.zeros(5, bool)))


def test_aurc_is_the_mean_of_the_error_rates():
    doubt, wrong = np.array([0.1, 0.4, 0.2, 0.9]), np.array([False, False, True, True])
    assert aurc(doubt, wrong) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    oracle = wrong.astype(float)
    assert aurc(oracle, wrong) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)


def test_doubt_that_tells_nothing_has_the_error_rate_as_its_area():
    wrong = np.random.default_rng(0).random(5000) < 0.2
    assert aurc(np.zeros(5000), wrong) == pytest.approx(wrong.mean())
    assert aurc(wrong.astype(float), wrong) < 0.03
