"""Every registered sampler on real (tiny) models: what it needs, what it gives, and that a seed gives the same again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from deepseg import api
from deepseg.bundle import ModelBundle
from deepseg.errors import UncertaintyError
from deepseg.geometry import Geometry
from deepseg.golden import phantom
from deepseg.networks import build_network
from deepseg.spec import NetworkSpec, OutputSpec
from deepseg.uncertainty.deep_features import deepest_layer
from deepseg.uncertainty.estimate import assemble
from deepseg.uncertainty.logit_noise import without_noise
from deepseg.uncertainty.measures import MEASURES
from deepseg.uncertainty.samplers import SAMPLERS
from deepseg.volume import Volume

SEEDED = ("augmentation", "dropout", "learned-variance")


@pytest.fixture(scope="session")
def versatile_bundle(tmp_path_factory, tiny_spec) -> ModelBundle:
    """A tiny model of two members with dropout, coarser heads, learned noise and a mirror axis: every sampler can work with it."""
    kwargs = {**tiny_spec.network.kwargs, "strides": [1, 2, 2, 2], "kernel_size": [3] * 4, "upsample_kernel_size": [2] * 3, "filters": [4, 6, 8, 8]}
    kwargs |= {"deep_supervision": True, "deep_supr_num": 2, "dropout": 0.2}
    spec = replace(tiny_spec, id="versatile", network=NetworkSpec("HeteroscedasticDynUNet", kwargs), output=OutputSpec(mirror_axes=(0,)))
    members = {}
    with torch.random.fork_rng():
        for seed in range(2):
            torch.manual_seed(seed)
            members[f"member-{seed}.safetensors"] = {k: 2 * v for k, v in build_network("HeteroscedasticDynUNet", kwargs).state_dict().items()}
    return ModelBundle.save(tmp_path_factory.mktemp("models") / "versatile", spec, members, "# Versatile\n", "CC0\n")


@pytest.fixture(scope="session")
def a_volume():
    return phantom(1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_guard_hears_the_network_as_it_is_whatever_the_sampler(name, versatile_bundle, a_volume):
    layer = deepest_layer(versatile_bundle.spec)
    heard, plain = (assemble(a_volume, versatile_bundle, sampler=sampler, deep_layer=layer).deep for sampler in (name, "single-pass"))
    np.testing.assert_allclose(heard, plain, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_gives_labels_maps_and_what_made_them(name, versatile_bundle, a_volume):
    told = []
    result = api.estimate_uncertainty(a_volume, versatile_bundle, progress=told.append, sampler=name)
    assert set(result.maps) == set(MEASURES)
    for found in result.maps.values():
        assert found.values.shape == a_volume.geometry.shape
        assert found.values.dtype == np.float32
        assert 0 <= found.values.min() <= found.values.max() <= found.largest + 1e-5
    maps = {key: found.values for key, found in result.maps.items()}
    np.testing.assert_allclose(maps["predictive_entropy"], maps["expected_entropy"] + maps["mutual_information"], atol=1e-5)
    np.testing.assert_allclose(maps["total_variance"], maps["expected_variance"] + maps["variance_of_means"], atol=1e-5)
    prediction = result.prediction
    np.testing.assert_allclose(prediction.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(prediction.labels.array, prediction.probabilities.argmax(0))
    settings = prediction.provenance["DeepSeg.Settings"]
    assert f'"sampler": "{name}", "samples": {result.samples}, "seed": {"0" if name in SEEDED else "null"}' in settings
    assert (result.agreement is None) == (result.samples == 1)
    if result.samples > 1:
        assert maps["mutual_information"].max() > 1e-4, "the samples are all alike"
        assert set(result.agreement) == {1, 2}
    assert told[-1].fraction == 1.0
    assert [p.fraction for p in told] == sorted(p.fraction for p in told)


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_gives_the_same_bits_again_and_another_one_does_not(name, versatile_bundle, a_volume):
    first, again, other = (api.estimate_uncertainty(a_volume, versatile_bundle, sampler=name, seed=seed) for seed in (11, 11, 12))
    for key in MEASURES:
        np.testing.assert_array_equal(first.maps[key].values, again.maps[key].values)
    assert (first.maps["expected_entropy"].values != other.maps["expected_entropy"].values).any()


@pytest.mark.parametrize("name", SAMPLERS)
def test_nothing_of_the_model_or_of_anybodys_random_numbers_is_changed(name, versatile_bundle, a_volume):
    before = api.segment(a_volume, versatile_bundle).probabilities
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    api.estimate_uncertainty(a_volume, versatile_bundle, sampler=name)
    assert torch.equal(torch.randn(3), expected)
    np.testing.assert_array_equal(api.segment(a_volume, versatile_bundle).probabilities, before)


def test_a_single_pass_is_the_segmentation_itself(versatile_bundle, tiny_bundle, a_volume):
    for bundle in (versatile_bundle, tiny_bundle):
        plain = api.segment(a_volume, bundle)
        single = api.estimate_uncertainty(a_volume, bundle, sampler="single-pass")
        np.testing.assert_allclose(single.prediction.probabilities, plain.probabilities, atol=1e-5)
        np.testing.assert_array_equal(single.prediction.labels.array, plain.labels.array)
        assert single.maps["mutual_information"].values.max() == 0


@pytest.fixture(scope="session")
def on_the_models_grid(a_volume):
    """An image that need not be resampled."""
    return Volume(a_volume.array, Geometry(a_volume.geometry.shape, np.diag([-1.5, -1.5, 1.5, 1.0])), a_volume.units, "phantom")


def test_an_ensembles_samples_are_its_members(versatile_bundle, on_the_models_grid, tmp_path):
    ensemble = api.estimate_uncertainty(on_the_models_grid, versatile_bundle, sampler="ensemble")
    alone = []
    for name in versatile_bundle.spec.weights:
        state = load_file(versatile_bundle.weights_path(name))
        one = ModelBundle.save(tmp_path / name, replace(versatile_bundle.spec, weights={}), {name: state}, "# One\n", "CC0\n")
        alone.append(api.segment(on_the_models_grid, one).probabilities)
    assert ensemble.samples == 2
    np.testing.assert_allclose(ensemble.prediction.probabilities, np.mean(alone, 0), atol=1e-5)
    np.testing.assert_allclose(ensemble.maps["variance_of_means"].values, np.var(alone, 0).sum(0), atol=1e-5)


def test_augmentation_begins_with_the_image_and_its_mirror_image(versatile_bundle, on_the_models_grid):
    plain = on_the_models_grid
    mirrored = Volume(np.ascontiguousarray(plain.array[:, ::-1]), plain.geometry, plain.units, "mirrored")
    first, second = api.segment(plain, versatile_bundle).probabilities, api.segment(mirrored, versatile_bundle).probabilities[:, ::-1]
    result = api.estimate_uncertainty(plain, versatile_bundle, sampler="augmentation", samples=2)
    np.testing.assert_allclose(result.prediction.probabilities, (first + second) / 2, atol=1e-5)
    np.testing.assert_allclose(result.maps["variance_of_means"].values, ((first - second) ** 2 / 4).sum(0), atol=1e-5)


def test_in_a_box_nothing_is_known_outside(versatile_bundle, a_volume):
    box = api.Box.from_center(a_volume.geometry.center_ras, (20.0, 20.0, 20.0))
    result = api.estimate_uncertainty(a_volume, versatile_bundle, box, sampler="augmentation", samples=2)
    where = a_volume.geometry.slices_of(box)
    outside = np.ones(a_volume.geometry.shape, bool)
    outside[where] = False
    assert outside.any()
    for found in result.maps.values():
        assert not found.values[outside].any()
        assert found.values[where].any()
    assert (result.prediction.probabilities[0][outside] == 1).all()


def test_learned_noise_is_averaged_out_and_counts_as_doubt_that_lies_in_the_image(versatile_bundle, a_volume):
    plain = api.estimate_uncertainty(a_volume, versatile_bundle, sampler="single-pass")
    result = api.estimate_uncertainty(a_volume, versatile_bundle, sampler="learned-variance")
    assert result.samples == 1
    assert result.maps["mutual_information"].values.max() == 0
    assert result.maps["expected_entropy"].values.mean() > plain.maps["expected_entropy"].values.mean()


@pytest.mark.parametrize("deviation", [0.3, 1.0, 3.0])
def test_probabilities_without_noise_are_the_mean_over_it(deviation):
    """Against Gauss-Hermite quadrature, for one label against its absence."""
    logits = torch.tensor([-2.0, 0.0, 1.0, 4.0])
    spread = torch.full((1, 4), deviation).expm1().log()  # the way back through softplus
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    expected = [(weights * (1 / (1 + np.exp(-(mean + deviation * nodes))))).sum() / weights.sum() for mean in logits.tolist()]
    many = 500
    found = without_noise(logits.repeat(1, many), spread.repeat(1, many), 0, True).reshape(many, 4)
    np.testing.assert_allclose(found.mean(0), expected, atol=0.01)
    assert torch.equal(found, without_noise(logits.repeat(1, many), spread.repeat(1, many), 0, True).reshape(many, 4))


WRONG = {
    "an unknown sampler": ({"sampler": "guess"}, "There is no sampler named 'guess'; there are single-pass, "),
    "dropout without dropout": ({"sampler": "dropout"}, "The network of the model tiny was trained without dropout"),
    "an ensemble of one": ({"sampler": "ensemble"}, "The model tiny has one network; an ensemble needs at least two"),
    "no coarser heads": ({"sampler": "deep-supervision"}, "has no heads of deep supervision"),
    "no learned variance": ({"sampler": "learned-variance"}, "did not learn a variance of its logits"),
    "no samples": ({"sampler": "augmentation", "samples": 0}, "0 samples were asked for; test-time augmentation needs at least 2"),
    "many of a single pass": ({"sampler": "single-pass", "samples": 9}, "A single pass gives one sample, not 9"),
}


@pytest.mark.parametrize(("wish", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_wish_is_one_clear_sentence(wish, told, tiny_bundle, a_volume):
    with pytest.raises(UncertaintyError, match=told) as caught:
        api.estimate_uncertainty(a_volume, tiny_bundle, **wish)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wish", "told"),
    [({"sampler": "dropout", "samples": 1}, "needs at least 2"), ({"sampler": "ensemble", "samples": 3}, "expected 2 to 2, or 0 for all")],
)
def test_a_number_of_samples_that_cannot_be_had_is_named(wish, told, versatile_bundle, a_volume):
    with pytest.raises(UncertaintyError, match=told):
        api.estimate_uncertainty(a_volume, versatile_bundle, **wish)
