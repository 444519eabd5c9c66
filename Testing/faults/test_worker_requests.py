"""What a worker can be asked for beside segments: explanations, previews, a chosen device; each as in this process, and each in a sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deepseg import api
from deepseg.golden import phantom
from DeepSegLib import jobs
from DeepSegLib.jobs import WorkerJob
from faults.workers import follow, patched, run_until, without_log

CHECKS = {"deletion", "insertion", "shuffled weights", "another label", "noise"}


def a_place(volume):
    return tuple(float(x) for x in volume.geometry.center_ras)


@pytest.mark.parametrize(
    "asked",
    [
        api.ExplanationRequest(1, method="grad-cam", checks=True, seed=4),
        api.ExplanationRequest("Front", against=0, method="smooth-grad", checks=False, seed=9),
        api.ExplanationRequest(doubt=True, checks=False),
    ],
    ids=["a layer, tested", "against the background", "the usual one, of the doubt"],
)
def test_the_worker_explains_as_the_api_does_bit_for_bit(asked, a_short_job, quick_bundle, workers):
    asked = replace(asked, place=a_place(a_short_job.volume))
    roi = api.Box((-17.0, 5.0, 10.0), (5.0, 28.0, 35.0))
    expected = api.explain(a_short_job.volume, quick_bundle, roi=roi, **vars(asked))
    seen = []

    result = WorkerJob(replace(a_short_job, request=asked, roi=roi), workers.pool).wait(seen.append)

    found = result.explanation
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.values.dtype == np.float32
    assert found.geometry is a_short_job.volume.geometry
    for name in ("question", "method", "title", "layer", "number", "checks", "provenance", "notes"):
        assert getattr(found, name) == getattr(expected, name), name
    assert list(found.seconds) == list(expected.seconds)
    assert {check.name for check in found.checks} >= (CHECKS if asked.checks else set())
    assert (result.labels, result.uncertainty, result.preview, result.notes) == (None, None, None, expected.notes)
    assert {progress.stage for progress in seen} & {"explaining", "testing the explanation", "done"}
    workers.assert_nothing_is_left()


def test_an_explanation_of_a_box_arrives_as_one(a_short_job, quick_bundle, workers):
    center = a_place(a_short_job.volume)
    asked = api.ExplanationRequest(place=api.Box.from_center(center, (6.0, 6.0, 6.0)), method="gradient-times-input", checks=False)

    found = WorkerJob(replace(a_short_job, request=asked), workers.pool).wait().explanation

    np.testing.assert_array_equal(found.values, api.explain(a_short_job.volume, quick_bundle, **vars(asked)).values)
    assert "in the box from RAS" in found.question


def test_an_explanation_is_cancelled_between_two_passes_and_the_worker_stays_warm(a_short_job, workers, monkeypatch):
    monkeypatch.setattr(jobs, "_ANSWER_S", 60)  # on a busy computer a pass may take longer than a user would wait
    asked = api.ExplanationRequest(1, place=a_place(a_short_job.volume), method="occlusion")
    job = WorkerJob(replace(a_short_job, request=asked), workers.pool)
    run_until(job, lambda: job.progress.stage == "explaining" and job.progress.fraction > 0.1)

    job.cancel()

    assert (job.cancelled, job.error, job.result) == (True, None, None)
    assert list(workers.shared.iterdir()) == []
    assert WorkerJob(a_short_job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    assert len(workers.processes) == 1
    workers.assert_nothing_is_left()


@pytest.mark.parametrize("stage", ["explaining", "testing the explanation"])
def test_a_worker_killed_while_it_explains_is_one_sentence_and_the_next_run_works(stage, a_short_job, workers):
    asked = api.ExplanationRequest(1, place=a_place(a_short_job.volume), method="occlusion")
    job = WorkerJob(replace(a_short_job, request=asked), workers.pool)
    run_until(job, lambda: job.progress.stage == stage)

    workers.processes[0].kill()
    error = without_log(follow(job).error)

    assert error.startswith("The process that runs the model ended unexpectedly (status ")
    assert WorkerJob(a_short_job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    workers.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (api.ExplanationRequest("Liver"), r"has no label 'Liver'; it has Front, Back\.$"),
        (api.ExplanationRequest(1, place=(500.0, 0.0, 0.0)), "lies outside what was segmented"),
        (api.ExplanationRequest(1, method="magic"), "no way of explaining named 'magic'"),
        (api.UncertaintyRequest("ensemble"), "ensemble"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence_and_the_worker_stays(asked, told, a_short_job, workers):
    with pytest.raises(api.DeepSegError, match=told) as raised:
        WorkerJob(replace(a_short_job, request=asked), workers.pool).wait()
    assert "Details" not in str(raised.value)
    WorkerJob(a_short_job, workers.pool).wait()
    assert len(workers.processes) == 1


@pytest.mark.parametrize("uncertainty", [False, True])
def test_a_preview_says_what_the_api_says_and_runs_no_network(uncertainty, a_short_job, quick_bundle, workers):
    workers.starts = [patched("from deepseg.bundle import ModelBundle; ModelBundle.build_network = lambda *a: 1 / 0")]

    result = WorkerJob(replace(a_short_job, request=api.PreviewRequest(uncertainty)), workers.pool).wait()

    expected, found = api.preview(a_short_job.volume, quick_bundle, uncertainty=uncertainty), result.preview
    assert found.forecast.startswith("Runs on: ") and found.forecast.endswith(".")
    assert found.fits
    assert ("float32" in found.forecast) or not uncertainty, "estimates are float32"
    assert replace(found, forecast="") == replace(expected, forecast="")
    assert found.devices[-1] == api.Device("cpu", "processor")
    assert found.usual_layer in found.layers
    assert (result.labels, result.explanation, result.uncertainty) == (None, None, None)
    workers.assert_nothing_is_left()


def test_a_preview_of_a_calibrated_model_tells_what_is_unusual(workers):
    volume, model = phantom(1), api.load_model("hippocampus-mr")

    found = WorkerJob(api.Job(volume, model.folder, request=api.PreviewRequest()), workers.pool).wait().preview

    assert found.findings == tuple(api.unusual(volume, model))
    assert "voxel size" in [finding.about for finding in found.findings]
    assert (found.usual_layer, "bottleneck" in found.layers) == ("bottleneck", True)


def test_a_look_at_another_model_leaves_the_first_one_open(a_short_job, tiny_bundle, workers):
    code = "from deepseg.bundle import ModelBundle as M; load = M.load; M.load = lambda folder: (print('model loaded', flush=True), load(folder))[1]"
    workers.starts = [patched(code)]
    look = replace(a_short_job, request=api.PreviewRequest())
    for job in (a_short_job, look, replace(look, model=tiny_bundle.folder), a_short_job):
        WorkerJob(job, workers.pool).wait()

    log = next(workers.temporary.iterdir()) / "worker.log"
    assert log.read_text().count("model loaded") == 2


def test_a_preview_offers_only_what_suits_the_model(a_short_job, quick_bundle):
    found = api.preview(a_short_job.volume, quick_bundle)

    assert [way.key for way in found.samplers] == ["single-pass", "augmentation"]
    assert "attention-rollout" not in found.methods
    assert found.methods == tuple(method.key for method in api.explanation_methods() if method.key != "attention-rollout")


def test_a_preview_of_what_does_not_fit_is_the_sentence_of_the_run(a_short_job, workers):
    volume = a_short_job.volume
    two = api.Volume(np.repeat(volume.array, 2, 0), volume.geometry, ("a.u.", "a.u."), "pair")
    flat = api.Volume(np.ones_like(volume.array), volume.geometry, ("a.u.",), "flat")
    for wrong, told in ((two, "'pair' has 2 channels; the model quick takes 1"), (flat, "'flat' has the value 1 in every voxel")):
        for asked in (api.PreviewRequest(), None):
            with pytest.raises(api.DeepSegError, match=told):
                WorkerJob(replace(a_short_job, volume=wrong, request=asked), workers.pool).wait()
    assert len(workers.processes) == 1


@pytest.mark.parametrize(
    "asked", [None, api.UncertaintyRequest("single-pass"), api.ExplanationRequest(1, checks=False, method="grad-cam"), api.PreviewRequest()]
)
def test_a_chosen_device_is_kept_to_and_one_that_is_not_there_is_named(asked, a_short_job, workers):
    if isinstance(asked, api.ExplanationRequest):
        asked = replace(asked, place=a_place(a_short_job.volume))
    job = replace(a_short_job, request=asked, device="cpu")
    result = WorkerJob(job, workers.pool).wait()
    if result.preview:
        assert result.preview.forecast.startswith("Runs on: processor")
    else:
        made_by = result.explanation.provenance if result.explanation else result.labels.attributes
        assert json.loads(made_by["DeepSeg.Settings"])["device"] == "cpu"

    with pytest.raises(api.DeepSegError, match=r"no device 'cuda:7' that can be used; it has .*cpu \(processor\)\. Choose one of these"):
        WorkerJob(replace(job, device="cuda:7"), workers.pool).wait()
    assert len(workers.processes) == 1
    workers.assert_nothing_is_left()


def test_what_a_worker_says_is_strict_json(a_short_job, workers, monkeypatch):
    """An empty segment has no mean entropy: nan arrives as nan, and no line holds a word that JSON lacks."""
    from DeepSegLib import worker_process

    lines = []

    class Json:
        dumps = staticmethod(json.dumps)

        @staticmethod
        def loads(line):
            lines.append(bytes(line))
            return json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))

    monkeypatch.setattr(worker_process, "json", Json)
    empty = "from dataclasses import replace\nfrom deepseg import api\nestimate = api.estimate_uncertainty\n"
    empty += "def without(*a, **k):\n    found = estimate(*a, **k)\n"
    empty += "    reports = tuple(replace(one, mean_entropy=float('nan')) for one in found.reports)\n"
    empty += "    return replace(found, reports=reports, agreement={1: float('nan'), 2: 0.5})\n"
    empty += "api.estimate_uncertainty = without"
    workers.starts = [patched(empty)]

    found = WorkerJob(replace(a_short_job, request=api.UncertaintyRequest("single-pass")), workers.pool).wait().uncertainty

    assert [np.isnan(report.mean_entropy) for report in found.reports] == [True, True]
    assert np.isnan(found.agreement[1]) and found.agreement[2] == 0.5
    assert lines and not any(b"NaN" in line for line in lines)
