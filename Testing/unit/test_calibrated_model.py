"""What a calibrated model says: of the shipped one on real cases, and of damaged files."""

import json
import shutil

import numpy as np
import pytest

from deepseg import api, cli
from deepseg.bundle import CALIBRATION_FILE
from deepseg.errors import ModelError, UncertaintyError
from deepseg.geometry import Geometry
from deepseg.golden import phantom
from deepseg.job_folder import MAPS
from deepseg.job_result import write_result
from deepseg.uncertainty.calibration import load_calibration
from deepseg.uncertainty.facts import facts_of
from deepseg.uncertainty.segment_reports import segment_reports

PARTS = ("Anterior hippocampus", "Posterior hippocampus")


@pytest.fixture(scope="module")
def model():
    return api.load_model("hippocampus-mr")


@pytest.fixture(scope="module")
def a_case(hippocampus_cases):
    return api.read_volume(hippocampus_cases[0])


@pytest.fixture(scope="module")
def result(a_case, model):
    return api.estimate_uncertainty(a_case, model)


def test_each_segment_has_its_promises(result):
    assert result.calibrated
    assert [report.name for report in result.reports] == [*PARTS, "Hippocampus"]
    for report in result.reports:
        low, high = report.volume_interval_ml
        assert 0 < low < high
        assert 0.5 * report.volume_ml < low < 1.1 * report.volume_ml < 1.6 * high
    for report in result.reports[:2]:
        assert 0.7 < report.expected_dice < 1
        assert report.dice_interval[0] < report.expected_dice < report.dice_interval[1] <= 1
        assert report.verdict == "accept"
    assert result.reports[2].expected_dice is None, "of a group nothing is known but its volume"
    assert result.findings == ()
    assert "For new cases from the same source as the 31 calibration cases, 90 % of the intervals contain the true volume" in result.notes[0]


def test_what_a_worker_hands_over_is_all_of_it_but_the_probabilities(a_case, model, result, tmp_path):
    regions = api.uncertain_regions(result)
    told = write_result(tmp_path, api.JobResult(result.prediction.labels, uncertainty=result, regions=tuple(regions)))
    job = api.Job(a_case, model.folder, request=api.UncertaintyRequest())
    handed = api.read_result(tmp_path, job, json.loads(json.dumps(told, allow_nan=False)))
    found = handed.uncertainty
    assert handed.regions == tuple(regions)
    assert set(found.maps) == set(MAPS)
    np.testing.assert_array_equal(found.maps["error_probability"].values, result.maps["error_probability"].values)
    for name in ("reports", "findings", "agreement", "calibrated", "notes"):
        assert getattr(found, name) == getattr(result, name)
    assert not api.is_stale(found.prediction.provenance, found.prediction.labels)


def test_the_probability_of_an_error_is_that_of_the_other_labels(result):
    labels, found = result.prediction.labels.array, result.maps["error_probability"].values
    np.testing.assert_allclose(found, 1 - np.take_along_axis(result.recalibrated, labels[None].astype(int), 0)[0])
    assert result.recalibrated.shape == result.prediction.probabilities.shape
    np.testing.assert_allclose(result.recalibrated.sum(0), 1, atol=1e-5)
    assert (result.recalibrated != result.prediction.probabilities).any()


def test_a_higher_level_is_promised_a_wider_interval_up_to_what_the_cases_allow(a_case, model):
    widths = []
    for level in (0.5, 0.8, 0.95):
        report = api.estimate_uncertainty(a_case, model, level=level).reports[0]
        assert report.level == level
        widths.append(np.ptp(report.volume_interval_ml))
    assert widths == sorted(widths)
    with pytest.raises(UncertaintyError, match=r"99 % cannot be promised from 31 calibration cases; at most 96\.9 %"):
        api.estimate_uncertainty(a_case, model, level=0.99)


def test_contours_lie_one_in_the_other_and_part_with_the_level(result, model):
    mild, strict = (api.contours(result, model, level) for level in (0.6, 0.95))
    names = [label.name for label in strict.labels]
    assert names == [f"{part}, {kind} in 95 % of cases" for part in PARTS for kind in ("inside 95 % its own", "95 % of it inside")]
    assert json.loads(strict.attributes["DeepSeg.Contours"]) == {"level": 0.95, "share": 0.95}
    for n in (0, 2):
        inner, outer = (strict.mask(strict.labels[n + k]) for k in (0, 1))
        assert 0 < inner.sum() < outer.sum()
        assert not (inner & ~outer).any()
        assert inner.sum() <= mild.mask(mild.labels[n]).sum()
        assert outer.sum() >= mild.mask(mild.labels[n + 1]).sum()


@pytest.mark.parametrize(
    ("what", "about"),
    [("coarse voxels", "voxel size"), ("a large field of view", "field of view"), ("bright for dark", "intensities"), ("noise", "sharpness")],
)
def test_what_is_unlike_the_training_images_is_said_in_words(what, about, a_case, model):
    array, grid = a_case.array, a_case.geometry
    volume = {
        "coarse voxels": api.Volume(array, Geometry(grid.shape, grid.ijk_to_ras @ np.diag([2.5, 2.5, 2.5, 1]))),
        "a large field of view": api.Volume(np.tile(array, (1, 4, 4, 4)), Geometry(tuple(4 * n for n in grid.shape), grid.ijk_to_ras)),
        "bright for dark": api.Volume(-array, grid),
        "noise": api.Volume(np.random.default_rng(0).normal(size=array.shape).astype(np.float32), grid),
    }[what]
    found = {finding.about: finding for finding in api.unusual(volume, model)}
    assert about in found
    assert found[about].score > 1
    assert "training images" in found[about].told
    assert api.unusual(a_case, model) == []


def test_noise_is_neither_accepted_nor_passed(model):
    noise = api.Volume(np.random.default_rng(1).normal(100, 20, (1, 36, 50, 36)).astype(np.float32), Geometry((36, 50, 36), np.eye(4)))
    result = api.estimate_uncertainty(noise, model)
    assert result.findings
    assert all(report.verdict != "accept" for report in result.reports)
    assert all(report.volume_interval_ml is None for report in result.reports), "nothing was calibrated for such images"
    assert "unlike the 31 calibration cases: no interval" in result.notes[0]


def test_an_empty_segment_is_rejected_and_its_group_has_no_interval(a_case, model):
    facts = api.estimate_uncertainty(a_case, model)
    assert all(report.volume_interval_ml for report in facts.reports)
    calibration = load_calibration(model)
    way, labels = calibration.samplers[0], facts.prediction.labels.array.copy()
    labels[labels == 1] = 0
    found = facts_of(a_case, labels, facts.recalibrated, facts.prediction.probabilities, None, model.spec)
    reports = segment_reports(labels, facts.maps["predictive_entropy"].values, found, model.spec, calibration, way, 0.9, False)
    assert (reports[0].verdict, reports[0].expected_dice, reports[0].volume_interval_ml) == ("reject", None, None)
    assert reports[0].flags == ("empty",)
    assert reports[2].volume_interval_ml is None


@pytest.mark.parametrize("level", [0, 1, 90])
def test_a_level_that_is_no_share_is_refused_before_the_run(level, a_case, model):
    told = []
    with pytest.raises(UncertaintyError, match=f"The level is {level}; expected a number between 0 and 1"):
        api.estimate_uncertainty(a_case, model, progress=told.append, level=level)
    assert told == []


def test_a_method_draws_as_many_samples_as_it_was_calibrated_for(a_case, model):
    result = api.estimate_uncertainty(a_case, model, sampler="augmentation")
    assert (result.samples, result.calibrated, result.seed) == (2, True, None)


def test_without_calibration_nobody_speaks_of_probability(tiny_bundle, tmp_path, capsys):
    api.write_volume(phantom(1), tmp_path / "image.nii.gz")
    words = ["segment", tmp_path / "image.nii.gz", "-m", tiny_bundle.folder, "-o", tmp_path / "out.seg.nrrd", "--uncertainty"]
    assert cli.main(list(map(str, words))) == 0
    said = capsys.readouterr().out.lower() + " ".join(path.name for path in tmp_path.iterdir())
    assert "was not calibrated" in said
    assert "probab" not in said and "confiden" not in said and "expected dice" not in said


def test_promises_of_a_model_without_calibration_are_refused(tiny_bundle):
    with pytest.raises(UncertaintyError, match=r"Nothing can be promised at 90 %. The model tiny was not calibrated"):
        api.estimate_uncertainty(phantom(1), tiny_bundle, level=0.9)
    result = api.estimate_uncertainty(phantom(1), tiny_bundle, sampler="single-pass")
    with pytest.raises(UncertaintyError, match="need a model that was calibrated"):
        api.contours(result, tiny_bundle)


def test_a_way_that_was_not_calibrated_says_so(a_case, model):
    result = api.estimate_uncertainty(a_case, model, sampler="deep-supervision")
    assert not result.calibrated and result.recalibrated is None
    assert "was not calibrated for deep-supervision with 3 samples, so there are no intervals, verdicts or probabilities" in result.notes[0]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text.replace('"limit": ', '"limit":  ', 1), "damaged or altered"),
        (lambda text: text[: len(text) // 2], "damaged or altered"),
    ],
)
def test_an_altered_calibration_is_refused(damage, told, model, tmp_path):
    shutil.copytree(model.folder, tmp_path / "model")
    path = tmp_path / "model" / CALIBRATION_FILE
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ModelError, match=told):
        load_calibration(api.load_model(tmp_path / "model"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(weights={"model.safetensors": "0" * 64}), "belongs to other weights; its guarantees do not carry over"),
        (lambda c: c.pop("guard"), "damaged or from a newer DeepSeg"),
        (lambda c: c.update(schema_version=2), "damaged or from a newer DeepSeg"),
        (lambda c: c["ways"][0]["recalibration"].update(hidden="x"), "damaged or from a newer DeepSeg"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(change, told, model, tmp_path):
    from deepseg.bundle_writer import add_calibration

    content = json.loads((model.folder / CALIBRATION_FILE).read_text(encoding="utf-8"))
    change(content)
    other = add_calibration(model, content, tmp_path / "other")
    with pytest.raises(ModelError, match=told):
        load_calibration(other)
