"""Sums of single cases give the errors of calibration that all their voxels together have."""

import numpy as np
import pytest

from deepseg_train.calibration.figures import figures
from deepseg_train.calibration.region_sums import BAND, MEASURES, REGIONS, RegionSums, errors, region_sums, resampled_errors


def a_case(seed: int, side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """A ball whose probabilities are too sure of themselves: float64 and bool (I, J, K). Some lie on an edge of ECE's bins."""
    rng = np.random.default_rng(seed)
    radius = np.sqrt(sum((axis - side / 2) ** 2 for axis in np.indices((side,) * 3)))
    logits = 7 - radius + rng.normal(0, 0.5)
    present = rng.random(radius.shape) < 1 / (1 + np.exp(-logits))
    probabilities = 1 / (1 + np.exp(-2 * logits + rng.normal(0, 1, radius.shape)))
    probabilities[rng.random(radius.shape) < 0.02] = np.linspace(0, 1, 16)[3]
    return probabilities, present


@pytest.fixture(scope="module")
def cases():
    return [a_case(seed) for seed in range(4)]


def pooled(cases):
    return tuple(np.concatenate([part.ravel() for part in parts]) for parts in zip(*cases, strict=True))


def test_sums_of_images_give_the_errors_of_all_their_voxels(cases):
    found = errors([region_sums({"none": p}, y, ("image",))["image"]["none"] for p, y in cases])
    expected = {name: measure(*pooled(cases)) for name, measure in MEASURES.items()}
    assert expected["ece"] > 0.01 and expected["ace"] > 0.01
    for name in ("ece", "brier", "nll"):
        assert found[name] == pytest.approx(expected[name], rel=1e-5), name
    assert found["ace"] == pytest.approx(expected["ace"], rel=2e-3)


def test_errors_near_a_boundary_are_those_of_its_voxels_to_the_last_digit(cases):
    sums = [RegionSums.of(p, y, keep_voxels=True) for p, y in cases]
    assert errors(sums) == {name: measure(*pooled(cases)) for name, measure in MEASURES.items()}


def test_a_case_that_is_drawn_twice_counts_twice(cases):
    sums = [RegionSums.of(p, y, keep_voxels=False) for p, y in cases]
    found = resampled_errors(sums, np.array([[0, 0, 2, 1], [3, 3, 3, 3]]))
    for n, drawn in enumerate(([0, 0, 2, 1], [3])):
        expected = {name: measure(*pooled([cases[case] for case in drawn])) for name, measure in MEASURES.items()}
        for name, value in expected.items():
            assert found[name][n] == pytest.approx(value, rel=5e-3), name


def test_what_is_kept_of_an_image_does_not_grow_with_it():
    def numbers(side: int) -> int:
        p, y = a_case(0, side)
        kept = region_sums({"none": p, "temperature": p}, y, ("image",))["image"]
        assert all(sums.voxels is None for sums in kept.values())
        return sum(np.size(value) for sums in kept.values() for value in vars(sums).values())

    assert numbers(20) == numbers(40) < 40**3 / 3


def test_voxels_are_kept_of_the_boundary_alone():
    p, y = a_case(0, 40)
    y = y & (np.sqrt(sum((axis - 20) ** 2 for axis in np.indices(y.shape))) < 12)
    found = region_sums({"none": p}, y, REGIONS)
    kept, present = found[BAND]["none"].voxels
    assert kept.shape == present.shape == (int(found[BAND]["none"].count.sum()),)
    assert not np.shares_memory(kept, p), "a view would keep the whole image"
    assert 0 < len(kept) < 0.5 * p.size
    assert found["image"]["none"].count.sum() == p.size


def test_figures_tell_a_gain_and_curves_of_the_boundary(cases):
    softer = [(p, 1 / (1 + np.exp(-0.5 * np.log(p / (1 - p)))), y) for p, y in cases]
    told = figures([{"Ball": region_sums({"none": p, "temperature": q}, y)} for p, q, y in softer], "temperature")
    for region in REGIONS:
        ball = told["regions"][region]["Ball"]
        for name in MEASURES:
            assert ball["none"][name]["low"] <= ball["none"][name]["value"] <= ball["none"][name]["high"]
            assert ball["gain"][name]["value"] == pytest.approx(ball["none"][name]["value"] - ball["temperature"][name]["value"], rel=1e-3)
        assert ball["gain"]["nll"]["low"] > 0
    assert set(told["curves"]["Ball"]) == {"none", "temperature"}
    # The name of the predicted probability in files of calibrated models.
    assert len(told["curves"]["Ball"]["none"]["promised"]) == len(told["curves"]["Ball"]["none"]["observed"]) == 15
