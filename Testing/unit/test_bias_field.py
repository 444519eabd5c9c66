"""N4 on a phantom whose bias field is known."""

import numpy as np
import pytest

from deepseg.bias_field import correct_bias_field
from deepseg.errors import Cancelled, VolumeError
from deepseg.geometry import Geometry
from deepseg.volume import Volume
from phantoms import awkward_grid

SHAPE = (40, 44, 36)
X, Y, Z = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
RADIUS = np.sqrt(X**2 + Y**2 + Z**2)
INNER, OUTER = RADIUS < 0.45, (RADIUS > 0.55) & (RADIUS < 0.8)
FIELD = np.exp(0.35 * X - 0.25 * Y * Z + 0.2 * Z**2 + 0.3 * Y)


def variation(array: np.ndarray, where: np.ndarray) -> float:
    """Coefficient of variation within one tissue."""
    return float(array[where].std() / array[where].mean())


@pytest.fixture(scope="module")
def a_biased_head() -> Volume:
    """Two tissues of constant intensity in air, noise, and a field that changes threefold over the head."""
    tissue = np.select([RADIUS < 0.5, RADIUS < 0.85], [160.0, 100.0], 0.0)
    noise = np.random.default_rng(0).normal(0, 1.5, SHAPE)
    return Volume((tissue * FIELD + noise).astype(np.float32)[np.newaxis], awkward_grid(SHAPE, (5.0, 4.0, 6.0)), name="head")


@pytest.fixture(scope="module")
def the_corrected_head(a_biased_head) -> Volume:
    return correct_bias_field(a_biased_head)


@pytest.mark.parametrize("where", [INNER, OUTER], ids=["inner tissue", "outer tissue"])
def test_a_tissue_becomes_even(where, a_biased_head, the_corrected_head):
    before, after = variation(a_biased_head.array[0], where), variation(the_corrected_head.array[0], where)
    print(f"coefficient of variation {before:.3f} -> {after:.3f}")
    assert before > 0.08
    assert after < before / 4


def test_the_field_that_is_taken_away_is_the_one_that_was_put_on(a_biased_head, the_corrected_head):
    tissue = INNER | OUTER
    found = a_biased_head.array[0][tissue] / the_corrected_head.array[0][tissue]
    assert np.corrcoef(found, FIELD[tissue])[0, 1] > 0.98


def test_tissues_keep_their_contrast_and_the_volume_its_place(a_biased_head, the_corrected_head):
    array = the_corrected_head.array[0]
    assert array[INNER].mean() / array[OUTER].mean() == pytest.approx(1.6, rel=0.03)
    assert array[INNER | OUTER].mean() == pytest.approx(a_biased_head.array[0][INNER | OUTER].mean(), rel=0.05)
    assert the_corrected_head.geometry.is_close(a_biased_head.geometry)
    assert the_corrected_head.name == "head"


def test_it_can_be_stopped_between_channels(a_biased_head):
    two = Volume(np.concatenate([a_biased_head.array] * 2), a_biased_head.geometry, ("a.u.", "a.u."))

    def stop(progress):
        assert progress.stage == "correcting the bias field"
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        correct_bias_field(two, stop)


@pytest.mark.parametrize(
    ("unit", "modality", "says"), [("HU", "CT", "is CT; a bias field"), ("SUV", "", "is in SUV; a bias field"), ("a.u.", "CT", "MR images only")]
)
def test_other_images_than_mr_are_refused(unit, modality, says):
    volume = Volume(np.ones((1, 4, 4, 4), np.float32), Geometry((4, 4, 4), np.eye(4)), (unit,), "scan", (modality,))
    with pytest.raises(VolumeError, match=says):
        correct_bias_field(volume)


@pytest.mark.parametrize("value", [0.0, -3.0, 5.0])
def test_an_image_without_signal_is_refused(value):
    with pytest.raises(VolumeError, match="holds no signal above 0"):
        correct_bias_field(Volume(np.full((1, 20, 20, 20), value, np.float32), Geometry((20, 20, 20), np.eye(4))))
