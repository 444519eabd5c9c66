"""What samples say about a voxel, against the definitions written out."""

import math

import numpy as np
import pytest
import torch

from deepseg.errors import UncertaintyError
from deepseg.uncertainty.measures import MEASURES, Tally, largest_value

SHAPE = (4, 5, 6)


@pytest.fixture(params=["softmax", "sigmoid"])
def samples(request) -> tuple[np.ndarray, bool]:
    """Probabilities (samples, L, I, J, K) from flat to certain, float64, and whether labels may overlap."""
    logits = np.random.default_rng(3).normal(0, 1, (7, 3, *SHAPE)) * np.geomspace(0.01, 60, 7)[:, None, None, None, None]
    if request.param == "sigmoid":
        return 1 / (1 + np.exp(-logits)), True
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return exponents / exponents.sum(1, keepdims=True), False


def tallied(samples: np.ndarray, overlapping: bool) -> Tally:
    tally = Tally(overlapping)
    for sample in samples:
        tally.add(torch.from_numpy(sample.astype(np.float32)))
    return tally


def classes(probabilities: np.ndarray, overlapping: bool) -> np.ndarray:
    """Distributions (..., groups, classes, I, J, K): one over all channels, or each label against its absence."""
    return np.stack([1 - probabilities, probabilities], -4) if overlapping else probabilities[..., None, :, :, :, :]


def entropy(p: np.ndarray) -> np.ndarray:
    """Summed over classes and groups."""
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(-4).sum(-4)


def test_each_map_is_its_definition(samples):
    probabilities, overlapping = samples
    tally = tallied(*samples)
    p = classes(probabilities, overlapping)
    mean = p.mean(0)
    divergence = np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / mean), 0).sum(-4).sum(-4).mean(0)
    channels = probabilities.mean(0)
    expected = {
        "predictive_entropy": entropy(mean),
        "expected_entropy": entropy(p).mean(0),
        "mutual_information": divergence,  # of each sample from their mean
        "total_variance": (channels * (1 - channels)).sum(0),
        "expected_variance": (probabilities * (1 - probabilities)).mean(0).sum(0),
        "variance_of_means": probabilities.var(0).sum(0),
        "margin": 1 - (np.abs(2 * channels - 1).min(0) if overlapping else np.diff(np.sort(channels, 0), axis=0)[-1]),
    }
    assert set(expected) == set(MEASURES)
    for name, values in expected.items():
        found = tally.measure(name)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found.numpy(), values, atol=2e-6, err_msg=name)
        assert found.min() >= 0
        assert found.max() <= largest_value(name, 3, overlapping) + 1e-6


@pytest.mark.parametrize(
    "parts",
    [("predictive_entropy", "expected_entropy", "mutual_information"), ("total_variance", "expected_variance", "variance_of_means")],
)
def test_the_whole_is_the_sum_of_its_parts(parts, samples):
    whole, aleatoric, epistemic = (tallied(*samples).measure(name) for name in parts)
    assert float((whole - aleatoric - epistemic).abs().max()) < 1e-5
    assert [MEASURES[name].kind for name in parts] == ["total", "aleatoric", "epistemic"]


def test_samples_that_agree_leave_no_doubt_in_the_model(samples):
    probabilities, overlapping = samples
    tally = tallied(np.repeat(probabilities[2:3], 5, 0), overlapping)
    assert float(tally.measure("mutual_information").max()) < 1e-5
    assert float(tally.measure("variance_of_means").max()) < 1e-5


def test_the_largest_values_are_reached(samples):
    _, overlapping = samples
    flat = torch.full((1, 3, 1, 1, 1), 0.5 if overlapping else 1 / 3)
    tally = tallied(flat.numpy(), overlapping)
    for name in ("predictive_entropy", "total_variance", "margin"):
        assert float(tally.measure(name)) == pytest.approx(largest_value(name, 3, overlapping), abs=1e-6)
    assert largest_value("predictive_entropy", 3, False) == math.log(3)


def test_pairwise_dice_is_that_of_the_pairs_added_up(samples):
    probabilities, overlapping = samples
    tally = tallied(*samples)
    segments = probabilities > 0.5 if overlapping else probabilities.argmax(1)[:, None] == np.arange(1, 3)[:, None, None, None]
    for n, found in enumerate(tally.pairwise_dice()):
        masks = segments[:, n]
        pairs = [(a, b) for a in range(len(masks)) for b in range(a)]
        shared, sizes = sum((masks[a] & masks[b]).sum() for a, b in pairs), sum(masks[a].sum() + masks[b].sum() for a, b in pairs)
        assert found == pytest.approx(2 * shared / sizes)


def test_a_label_that_no_sample_has_agrees_on_nothing():
    background = np.zeros((3, 3, 2, 2, 2))
    background[:, 0] = 1
    assert all(math.isnan(value) for value in tallied(background, False).pairwise_dice())


def test_memory_does_not_grow_with_the_samples():
    def held(tally):
        return sum(value.untyped_storage().nbytes() for value in vars(tally).values() if isinstance(value, torch.Tensor))

    rng = np.random.default_rng(0)
    assert held(tallied(rng.random((2, 3, *SHAPE)), False)) == held(tallied(rng.random((50, 3, *SHAPE)), False))


def test_too_few_samples_are_named():
    with pytest.raises(UncertaintyError, match="There is no sample to measure"):
        Tally(False).mean()
    with pytest.raises(UncertaintyError, match="needs at least two samples; there is 1"):
        tallied(np.ones((1, 3, 1, 1, 1)) / 3, False).pairwise_dice()
