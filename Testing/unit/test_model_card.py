"""Models in words for a panel: the shipped ones, damaged ones, and how well their probabilities hold."""

import hashlib
import json
import re
import shutil

import pytest

from deepseg import api
from deepseg.bundle import CALIBRATION_FILE, METADATA_FILE
from deepseg.uncertainty.calibration import load_calibration

SHIPPED = api.list_models()


@pytest.fixture
def a_copy(tmp_path):
    """The shipped model's folder, to be damaged."""
    return shutil.copytree(api.find_model("hippocampus-mr"), tmp_path / "copy")


def rewritten(folder, change):
    path = folder / METADATA_FILE
    metadata = json.loads(path.read_text(encoding="utf-8"))
    change(metadata["deepseg"])
    path.write_text(json.dumps(metadata), encoding="utf-8")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_model_has_a_whole_card(folder):
    card, bundle = api.describe_model(folder), api.load_model(folder)
    spec = bundle.spec
    assert card.problem == ""
    assert card.name == folder.name
    for name in ("id", "title", "summary", "intended_use", "version", "licence", "citation", "labels", "spacing_mm"):
        assert getattr(card, name) == getattr(spec, name) != "", name
    assert card.inputs == tuple(f"{item.name} ({item.modality})" for item in spec.inputs)
    assert card.calibrated == bool(spec.calibration_sha256)
    assert card.size_bytes > sum(bundle.weights_path(name).stat().st_size for name in spec.weights)


def test_the_figures_of_the_card_are_those_of_the_metadata():
    card = api.describe_model(api.find_model("hippocampus-mr"))
    assert [entry.label for entry in card.accuracy] == [label.name for label in card.labels]
    assert all(0.8 < entry.low < entry.dice < entry.high < 1 for entry in card.accuracy)
    label, dice, low, high = card.accuracy[0]
    assert (label, round(dice, 3), round(low, 3), round(high, 3)) == ("Anterior hippocampus", 0.897, 0.882, 0.908)
    assert card.cases == 31
    assert card.measured_on.startswith("Test cases")
    assert card.spacing == "1 x 1 x 1 mm"
    assert card.input_names == ("T1-weighted MR",)


def test_a_model_without_figures_tells_none(tiny_bundle):
    card = api.describe_model(str(tiny_bundle.folder))
    assert (card.problem, card.accuracy, card.cases, card.calibrated, card.inputs) == ("", (), None, False, ("T1 (MR)",))
    assert api.reliability(tiny_bundle) == api.reliability(tiny_bundle.folder) == ()


@pytest.mark.parametrize(
    "metrics",
    [{"labels": []}, {"labels": {"a": 1, "b": {"dice": 2}, "c": {"dice": {"mean": "x"}}}}, {"labels": {"a": {"dice": {"mean": 1}}}, "cases": "many"}],
)
def test_figures_written_in_another_way_are_left_out(metrics, a_copy):
    rewritten(a_copy, lambda section: section.update(metrics=metrics))
    card = api.describe_model(a_copy)
    assert (card.problem, card.accuracy, card.cases) == ("", (), None)


DAMAGE = {
    "no folder": (lambda folder: shutil.rmtree(folder), r"lacks the file configs/metadata\.json"),
    "no metadata": (lambda folder: (folder / METADATA_FILE).unlink(), r"lacks the file configs/metadata\.json"),
    "metadata cut off": (lambda folder: (folder / METADATA_FILE).write_text('{"deepseg": {'), "cannot be read"),
    "metadata of bytes": (lambda folder: (folder / METADATA_FILE).write_bytes(bytes(range(256))), "cannot be read"),
    "deeply nested": (lambda folder: (folder / METADATA_FILE).write_text("[" * 200_000), "cannot be read"),
    "a list": (lambda folder: (folder / METADATA_FILE).write_text("[]"), "has no 'deepseg' section"),
    "a section of text": (lambda folder: (folder / METADATA_FILE).write_text('{"deepseg": "x"}'), "is not valid"),
    "an empty section": (lambda folder: (folder / METADATA_FILE).write_text('{"deepseg": {}}'), "is not valid"),
    "no labels": (lambda folder: rewritten(folder, lambda section: section.pop("labels")), "is not valid"),
    "labels of another kind": (lambda folder: rewritten(folder, lambda section: section.update(labels=7)), "is not valid"),
    "labels out of order": (lambda folder: rewritten(folder, lambda section: section["labels"].reverse()), "must count up from 1"),
    "from a newer DeepSeg": (lambda folder: rewritten(folder, lambda section: section.update(schema_version=99)), "Update DeepSeg"),
    "weights lost": (lambda folder: (folder / "models/model.safetensors").unlink(), r"lacks its weight file models/model\.safetensors"),
    "calibration lost": (lambda folder: (folder / CALIBRATION_FILE).unlink(), r"lacks its file configs/calibration\.json"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_has_a_card_that_says_so(damage, a_copy):
    spoil, told = DAMAGE[damage]
    spoil(a_copy)

    card = api.describe_model(a_copy)

    assert card.name == "copy"
    assert card.title
    assert re.search(told, card.problem), card.problem
    assert card.problem.endswith(".") and "\n" not in card.problem
    with pytest.raises(api.ModelError):
        load_calibration(api.load_model(a_copy))


def test_what_can_be_read_of_a_damaged_model_is_told(a_copy):
    rewritten(a_copy, lambda section: section.update(window=None))
    card = api.describe_model(a_copy)
    assert card.problem
    assert card.title == "Hippocampus in MR (anterior and posterior)"
    assert card.size_bytes > 10**6


def test_reliability_is_that_of_the_calibration_file():
    model = api.load_model("hippocampus-mr")
    way = load_calibration(model).samplers[0]
    curves = api.reliability(model)
    assert curves == api.reliability(model.folder) == api.reliability("hippocampus-mr")
    methods = ("none", way.method)
    assert [(curve.label, curve.method) for curve in curves] == [(label.name, method) for label in model.spec.labels for method in methods]
    for curve in curves:
        figures = way.figures["curves"][curve.label][curve.method]
        assert (list(curve.predicted), list(curve.observed), curve.cases) == (figures["promised"], figures["observed"], 31)
        assert list(curve.predicted) == sorted(curve.predicted)


def test_a_damaged_calibration_tells_no_reliability(a_copy):
    content = json.loads((a_copy / CALIBRATION_FILE).read_text())
    (a_copy / CALIBRATION_FILE).write_text(json.dumps(content))
    with pytest.raises(api.ModelError, match="SHA-256"):
        api.reliability(a_copy)
    del content["ways"][0]["figures"]["curves"]
    text = json.dumps(content).encode()
    (a_copy / CALIBRATION_FILE).write_bytes(text)
    digest = hashlib.sha256(text).hexdigest()
    rewritten(a_copy, lambda section: section.update(calibration_sha256=digest))
    with pytest.raises(api.ModelError, match="tells nothing of reliability"):
        api.reliability(a_copy)
    with pytest.raises(api.ModelError, match="There is no model 'nowhere'"):
        api.reliability("nowhere")
