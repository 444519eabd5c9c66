import copy
import json

import pytest

from deepseg.errors import ModelError
from deepseg.spec import SCHEMA_VERSION, ModelSpec


@pytest.fixture
def a_section(tiny_spec):
    """The tiny model's 'deepseg' section, as it would come from a file."""
    section = tiny_spec.to_json()
    section["weights"] = {"model.safetensors": "0" * 64}
    return json.loads(json.dumps(section))


def test_a_spec_comes_back_from_json_as_it_was(a_section):
    spec = ModelSpec.from_json(a_section, "a file")
    assert json.loads(json.dumps(spec.to_json())) == a_section
    assert ModelSpec.from_json(spec.to_json(), "a file") == spec
    assert spec.labels[0].terminology.type_modifier.meaning == "Anterior"
    assert spec.labels[1].terminology is None
    assert spec.channel_count == 3
    assert isinstance(spec.window.size, tuple)
    assert spec.inputs[0].steps[0].scheme == "zscore"


def test_a_spec_from_the_future_is_refused_before_anything_else_is_read(a_section):
    section = {"schema_version": SCHEMA_VERSION + 1, "anything": "new"}
    with pytest.raises(ModelError, match=rf"a file is written in model schema {SCHEMA_VERSION + 1}; this DeepSeg reads up to {SCHEMA_VERSION}"):
        ModelSpec.from_json(section, "a file")


def changed(section, path, value):
    section = copy.deepcopy(section)
    *parents, last = path
    inner = section
    for key in parents:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return section


@pytest.mark.parametrize("section", [None, [], "text", 7, {}], ids=str)
def test_what_is_no_spec_is_refused(section):
    with pytest.raises(ModelError, match="a file"):
        ModelSpec.from_json(section, "a file")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema_version"], 0),
        (["schema_version"], "1"),
        (["schema_version"], ...),
        (["network"], ...),
        (["surprise"], 1),
        (["id"], "../up"),
        (["id"], ""),
        (["orientation"], "RAL"),
        (["orientation"], "RA"),
        (["orientation"], "ras"),
        (["spacing_mm"], [1.0, 1.0]),
        (["spacing_mm"], [1.0, 1.0, 0.0]),
        (["spacing_mm"], [1.0, 1.0, -1.0]),
        (["spacing_mm"], [1.0, 1.0, float("inf")]),
        (["spacing_mm", 0], "1"),
        (["orientation"], "IJS"),
        (["window", "size"], [16, 16, 0]),
        (["window", "size"], [16, 16, 16.5]),
        (["window", "size"], [16, 16, 10**6]),
        (["window", "overlap"], 1.0),
        (["window", "overlap"], -0.1),
        (["window", "weight"], "flat"),
        (["window", "slice_context"], 0),
        (["resampling", "order"], 2),
        (["output", "activation"], "relu"),
        (["output", "painting"], [1, 2]),
        (["output", "keep_largest"], [3]),
        (["output", "mirror_axes"], [3]),
        (["crop"], "tight"),
        (["inputs"], []),
        (["inputs", 0, "modality"], "X-ray"),
        (["inputs", 0, "steps", 0, "parameters"], {"low": "0"}),
        (["labels"], []),
        (["labels", 0, "value"], 0),
        (["labels", 0, "value"], 2),
        (["labels", 0, "color"], [1.0, 2.0, 0.0]),
        (["labels", 0, "terminology", "type"], None),
        (["weights"], {}),
        (["weights"], {"model.safetensors": "not a hash"}),
        (["weights"], {"../model.safetensors": "0" * 64}),
        (["weights"], {"/etc/model.safetensors": "0" * 64}),
        (["weights"], {"..safetensors": "0" * 64}),
        (["weights"], {"sub/model.safetensors": "0" * 64}),
        (["weights"], {"sub\\model.safetensors": "0" * 64}),
        (["weights"], {"model.pt": "0" * 64}),
        (["weights"], {"model.safetensors\n": "0" * 64}),
    ],
    ids=lambda v: str(v).replace("\n", "newline")[:40],
)
def test_a_spec_that_breaks_a_rule_is_refused_and_the_file_is_named(path, value, a_section):
    with pytest.raises(ModelError, match=r"^a file") as caught:
        ModelSpec.from_json(changed(a_section, path, value), "a file")
    assert "\n" not in str(caught.value)


def test_the_message_says_which_entry_is_wrong(a_section):
    with pytest.raises(ModelError, match=r"deepseg\.spacing_mm\[2\] must be bigger than 0"):
        ModelSpec.from_json(changed(a_section, ["spacing_mm"], [1.0, 1.0, 0.0]), "a file")


def test_a_section_of_the_first_schema_is_read_as_what_it_meant(a_section):
    first = {key: value for key, value in a_section.items() if key not in ("crop", "resampling", "window", "output")}
    first |= {"schema_version": 1, "patch": a_section["window"]["size"], "overlap": 0.5}
    first["inputs"] = [{"name": "T1", "modality": "MR", "unit": "a.u.", "scheme": "zscore", "parameters": {}}]
    assert ModelSpec.from_json(first, "a file") == ModelSpec.from_json(a_section, "a file")
    with pytest.raises(ModelError, match="a file"):
        ModelSpec.from_json({**first, "patch": [0, 1, 1]}, "a file")


def test_labels_that_may_overlap_have_a_channel_each_and_fit_the_bits_of_a_voxel(a_section):
    output = {"activation": "sigmoid", "painting": [1, 3], "keep_largest": [], "mirror_axes": [0, 2]}
    spec = ModelSpec.from_json(changed(a_section, ["output"], output), "a file")
    assert spec.overlapping
    assert spec.channel_count == 2
    many = [{"value": n, "name": str(n), "color": [0, 0, 0], "terminology": None} for n in range(1, 18)]
    with pytest.raises(ModelError, match="17 labels that may overlap; at most 16"):
        ModelSpec.from_json({**a_section, "output": {**output, "painting": []}, "labels": many}, "a file")


def test_a_2d_network_sees_slices_across_the_axis_where_its_window_is_thin(a_section):
    window = {**a_section["window"], "size": [32, 1, 32], "slice_context": 2}
    assert ModelSpec.from_json(changed(a_section, ["window"], window), "a file").window.slice_axis == 1
