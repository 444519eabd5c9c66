"""Probabilities that were sharpened on purpose are recalibrated by a fit to held-out voxels."""

import numpy as np
import pytest
import torch

from deepseg.uncertainty.recalibration import Temperature, recalibration_from_json
from deepseg.uncertainty.reliability import Reliability, negative_log_likelihood
from deepseg_train.calibration.fit import METHODS, cross_fit, fit_label_temperatures, fit_learned_map, fit_temperature
from deepseg_train.calibration.voxels import Voxels


def drawn(count: int, sharper: float = 1.0, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes drawn from known distributions, and these distributions sharpened: (L, N) and bool (L, N)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (classes, count))
    true = torch.softmax(torch.from_numpy(logits), 0)
    target = torch.from_numpy((rng.random(count) > true.numpy().cumsum(0)).sum(0).clip(max=classes - 1))
    return torch.softmax(torch.from_numpy(logits * sharper), 0).float(), torch.nn.functional.one_hot(target, classes).T.bool()


def voxels(probabilities: torch.Tensor, target: torch.Tensor) -> Voxels:
    return Voxels(probabilities, target, torch.ones(probabilities.shape[1]))


@pytest.mark.parametrize("fit", [fit_temperature, fit_label_temperatures])
@pytest.mark.parametrize("sharper", [2.5, 0.6])
def test_a_temperature_finds_back_what_was_sharpened(sharper, fit):
    probabilities, target = drawn(30_000, sharper)
    found = fit(voxels(probabilities, target), False)
    assert found.temperatures.shape == ((1,) if fit is fit_temperature else (3,))
    np.testing.assert_allclose(found.temperatures.numpy(), sharper, rtol=0.06)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_recalibrates_probabilities_and_reads_back_from_json(method):
    probabilities, target = drawn(30_000, 2.5)
    found = METHODS[method](voxels(probabilities, target), False)
    recalibrated = found.apply(probabilities.reshape(3, 30, 100, 10), False).reshape(3, -1)
    torch.testing.assert_close(recalibrated.sum(0), torch.ones(30_000))
    for label in range(3):
        before, after = (Reliability.of(p[label].numpy(), target[label].numpy()).expected_error for p in (probabilities, recalibrated))
        assert after < 0.01 < before
    again = recalibration_from_json(found.to_json())
    assert torch.equal(again.apply(probabilities, False), recalibrated)


def test_labels_that_may_overlap_are_recalibrated_one_by_one():
    rng = np.random.default_rng(2)
    logits = torch.from_numpy(rng.normal(0, 2, (2, 30_000)))
    target = torch.from_numpy(rng.random((2, 30_000))) < torch.sigmoid(logits)
    sharpened = torch.sigmoid(logits * torch.tensor([[3.0], [0.5]])).float()
    found = fit_label_temperatures(voxels(sharpened, target), True)
    np.testing.assert_allclose(found.temperatures.numpy(), [3.0, 0.5], rtol=0.06)
    recalibrated = fit_learned_map(voxels(sharpened, target), True).apply(sharpened, True)
    assert (recalibrated - torch.sigmoid(logits)).abs().mean() < 0.01


def test_a_temperature_of_one_changes_nothing_and_every_other_keeps_the_likeliest():
    probabilities, _ = drawn(1000)
    torch.testing.assert_close(Temperature(torch.ones(1)).apply(probabilities, False), probabilities, atol=2e-6, rtol=0)
    for temperature in (0.3, 4.0):
        recalibrated = Temperature(torch.tensor([temperature])).apply(probabilities, False)
        assert torch.equal(recalibrated.argmax(0), probabilities.argmax(0))


def test_the_learned_map_corrects_what_no_temperature_can():
    """Two labels confused with each other are overrated, each against background is not."""
    rng = np.random.default_rng(5)
    pair = rng.random(24_000) < 0.5  # whether the rival is the other label
    lead = rng.normal(0, 2, 24_000)
    logits = np.stack([np.where(pair, -6, 0), np.where(pair, 0, lead), np.where(pair, lead, -6)])
    honest = np.stack([np.where(pair, -6, 0), np.where(pair, 0, lead), np.where(pair, 0.2 * lead, -6)])
    true = torch.softmax(torch.from_numpy(honest), 0).numpy()
    target = torch.from_numpy((rng.random(24_000) > true.cumsum(0)).sum(0).clip(max=2))
    given = torch.softmax(torch.from_numpy(logits), 0).float()
    cases = [voxels(given[:, n::8], torch.nn.functional.one_hot(target, 3).T.bool()[:, n::8]) for n in range(8)]
    scores = {method: cross_fit(method, cases, False).score for method in METHODS}
    assert scores["learned map"] < 0.97 * scores["temperature per label"] < scores["temperature"] + 1e-6
    recalibrated = fit_learned_map(Voxels.together(cases), False).apply(given, False)
    assert negative_log_likelihood(recalibrated[2].numpy(), (target == 2).numpy()) < negative_log_likelihood(given[2].numpy(), (target == 2).numpy())


def test_a_case_is_scored_by_a_fit_to_the_other_folds():
    """Each case is sharpened by another amount, so that every fit differs; seven cases are in five folds."""
    cases = [voxels(*drawn(2000, 1 + n / 3, seed=n)) for n in range(7)]
    found = cross_fit("temperature", cases, False)
    scores = []
    for n, case in enumerate(cases):
        rest = Voxels.together([other for k, other in enumerate(cases) if k % 5 != n % 5])
        fit = fit_temperature(rest, False)
        assert found.without(n).temperatures.item() == pytest.approx(fit.temperatures.item(), rel=1e-6)
        scores.append(-fit.apply(case.probabilities, False)[case.target].log().mean().item())
    assert len({fit.temperatures.item() for fit in found.fits}) == 5
    assert found.score == pytest.approx(np.mean(scores), rel=1e-5)


def test_few_voxels_stand_for_all():
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 6, (3, 60, 60, 60))
    probabilities = (np.exp(logits) / np.exp(logits).sum(0)).astype(np.float32)
    target = np.arange(3)[:, None, None, None] == probabilities.argmax(0)
    found = Voxels.of_case(probabilities, target, 0)
    assert found.weights.sum() == pytest.approx(60**3, rel=1e-3)
    assert found.probabilities.shape[1] < 40_000
    weighted = (found.probabilities * found.weights).sum(1) / found.weights.sum()
    np.testing.assert_allclose(weighted.numpy(), probabilities.reshape(3, -1).mean(1), atol=0.01)
    fewer = Voxels.of_case(probabilities, target, 0, kept=(100, 20))
    assert fewer.probabilities.shape[1] == 120
    assert fewer.weights.sum() == pytest.approx(60**3, rel=1e-3)
