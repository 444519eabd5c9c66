"""Jobs and their results through the folder and the messages that a client and its worker share."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deepseg import api
from deepseg.explanation.listed import LISTED
from deepseg.explanation.methods import METHODS
from deepseg.golden import phantom
from deepseg.job_folder import MAPS, read_job, write_job
from deepseg.job_result import write_result
from deepseg.job_runs import run_job
from deepseg.strict_json import from_strict, to_strict

TURNED = api.Box.from_center((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), ((0.6, 0.8, 0.0), (-0.8, 0.6, 0.0), (0.0, 0.0, 1.0)))
REQUESTS = [
    None,
    api.UncertaintyRequest(),
    api.UncertaintyRequest("augmentation", 5, 7, 0.8),
    api.ExplanationRequest(),
    api.ExplanationRequest("Front", 0, (1.5, -2.25, 1e-7), True, "grad-cam", "bottleneck", 3, False),
    api.ExplanationRequest(2, "Back", TURNED),
    api.ExplanationRequest(place=api.Box((0.0, 0.0, 0.0), (1.0, 2.0, 3.0))),
    api.PreviewRequest(),
    api.PreviewRequest(True),
]


def strictly(message):
    """Through the line it travels in."""
    return json.loads(json.dumps(message, allow_nan=False))


@pytest.fixture(scope="module")
def a_volume():
    return phantom(1)


@pytest.fixture
def a_job(a_volume, tiny_bundle):
    return api.Job(a_volume, tiny_bundle.folder)


@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
@pytest.mark.parametrize("device", [None, "cuda:1"])
def test_a_job_comes_out_of_its_folder_as_it_went_in(request_, device, a_job, tmp_path):
    job = replace(a_job, request=request_, device=device, roi=TURNED)
    write_job(tmp_path, job)

    found = read_job(tmp_path)

    assert (found.request, found.device, found.roi, found.model) == (request_, device, TURNED, job.model)
    assert type(found.request) is type(request_)
    np.testing.assert_array_equal(found.volume.array, job.volume.array)
    json.loads((tmp_path / "job.json").read_text(), parse_constant=lambda word: pytest.fail(word))


def test_a_place_of_numpys_numbers_is_a_place(a_job, tmp_path):
    write_job(tmp_path, replace(a_job, request=api.ExplanationRequest(place=np.array([1.0, 2.0, 3.0], np.float32))))

    assert read_job(tmp_path).request.place == (1.0, 2.0, 3.0)


def test_what_is_no_request_is_refused_at_once(a_volume):
    with pytest.raises(TypeError, match="'uncertainty' was given as a job's request; expected None or a request of"):
        api.Job(a_volume, "model", request="uncertainty")


def test_room_is_asked_for_what_each_kind_of_run_writes(a_job, tmp_path, tiny_bundle):
    """What lies in the folder afterwards is never more, and but for the megabyte for messages never much less."""
    place = tuple(a_job.volume.geometry.center_ras)
    for n, asked in enumerate((None, api.UncertaintyRequest("augmentation", 3), api.ExplanationRequest(1, place=place, checks=False), REQUESTS[-1])):
        folder, job = tmp_path / str(n), replace(a_job, request=asked)
        folder.mkdir()
        write_job(folder, job)
        write_result(folder, run_job(job, tiny_bundle))
        taken = sum(path.stat().st_size for path in folder.iterdir())
        voxels = a_job.volume.array.size
        assert taken <= job.bytes_needed
        unused = voxels * (1 + 4 * (len(MAPS) - 3)) if isinstance(asked, api.UncertaintyRequest) else voxels
        assert job.bytes_needed - taken <= (1 << 20) + unused


def test_an_explanation_comes_through_with_what_is_no_number(a_job, tmp_path):
    curve = ((0.0, 1.0), (0.5, float("nan")), (1.0, float("-inf")))
    checks = (api.ExplanationCheck("deletion", float("nan"), 0.5, False, "told", curve), api.ExplanationCheck("inside", 0.25, None, True, "told"))
    values = np.random.default_rng(0).normal(size=a_job.volume.geometry.shape).astype(np.float32)
    made = api.Explanation(
        values, a_job.volume.geometry, "Why?", "occlusion", "Occlusion", None, float("nan"), checks, {"a": "b"}, {"first": 1.5}, ("note",)
    )

    message = strictly(write_result(tmp_path, api.JobResult(notes=made.notes, explanation=made, seconds=made.seconds)))
    found = api.read_result(tmp_path, a_job, message).explanation

    np.testing.assert_array_equal(found.values, values)
    assert repr(replace(found, values=None)) == repr(replace(made, values=None)), "nan is nan"


def test_a_job_run_in_this_process_gives_what_the_worker_would(a_job, tiny_bundle):
    expected = api.segment(a_job.volume, tiny_bundle, probabilities=False)
    told = []

    found = run_job(a_job, tiny_bundle, told.append)

    np.testing.assert_array_equal(found.labels.array, expected.labels.array)
    assert told[-1].fraction == 1.0
    assert run_job(replace(a_job, request=api.PreviewRequest()), tiny_bundle).preview.usual_layer


def test_numbers_that_json_lacks_have_a_name():
    value = {"a": [float("nan"), float("inf"), -float("inf"), 1.5, np.float64("nan")], "b": (1, None, True, "nan"), "c": {"float": 2, "x": 1}}

    written = json.dumps(to_strict(value), allow_nan=False)

    found = from_strict(json.loads(written))
    assert repr(found["a"]) == "[nan, inf, -inf, 1.5, nan]"
    assert (found["b"], found["c"]) == ([1, None, True, "nan"], {"float": 2, "x": 1})


def test_the_listed_ways_of_explaining_are_those_that_are_registered():
    assert [(one.key, one.title, one.needs_layer) for one in api.explanation_methods()] == [
        (key, method.title, method.needs_layer) for key, method in METHODS.items()
    ]
    assert [one.key for one in LISTED if one.usual] == ["integrated-gradients"]


def test_a_models_layers_are_those_that_a_method_takes(a_job, tiny_bundle):
    layers, usual = api.explanation_layers(tiny_bundle), api.usual_explanation_layer(tiny_bundle)
    assert layers.index("input_block") < layers.index("bottleneck") < layers.index("output_block")
    assert usual == "bottleneck"
    place = tuple(a_job.volume.geometry.center_ras)
    asked = {"place": place, "method": "grad-cam", "checks": False}
    assert api.explain(a_job.volume, tiny_bundle, 1, **asked).layer == usual
    assert api.explain(a_job.volume, tiny_bundle, 1, layer=layers[0], **asked).layer == layers[0]
