"""How a variant changes a model's accuracy, by hand and on answers that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepseg.bundle import ModelBundle
from deepseg.prediction import predict
from deepseg_train.errors import DatasetError
from deepseg_train.variants import speed
from deepseg_train.variants.accuracy_change import CaseAnswer, RunSetup, accuracy_change, answer_cases, metrics_of
from deepseg_train.variants.table import Row, variants_table


def answer(front, back, patient="a", largest=0.0, relabelled=0.0):
    return CaseAnswer(f"case of {patient}", patient, {"Front": front, "Back": back}, largest, relabelled)


def test_changes_are_variant_minus_model_case_by_case():
    model = [answer(0.8, 0.6, "a"), answer(0.9, 0.7, "b")]
    variant = [answer(0.8, 0.5, "a", 0.2, 0.1), answer(0.9, 0.8, "b", 0.1, 0.3)]
    change = accuracy_change(variant, model)
    # Means of the labels: 0.7 and 0.8 of the model, 0.65 and 0.85 of the variant.
    assert change.mean_dice.mean == pytest.approx(0.0, abs=1e-12)
    assert (change.mean_dice.low, change.mean_dice.high) == (pytest.approx(-0.05), pytest.approx(0.05))
    assert change.worst == pytest.approx(-0.05)
    assert (change.largest, change.relabelled) == (0.2, pytest.approx(0.2))


def test_images_too_large_for_probabilities_leave_the_largest_difference_out():
    silent = replace(answer(0.8, 0.6), largest=None)
    assert accuracy_change([silent, answer(0.8, 0.6, "b", 0.2)], [silent, silent]).largest == 0.2
    assert accuracy_change([silent], [silent]).largest is None


def test_the_table_says_where_images_were_too_large_to_compare_probabilities():
    silent, loud = replace(answer(0.8, 0.6), largest=None), answer(0.8, 0.6, "b", 0.25)
    rows = [Row("name", "float32", 1000, 1.0, accuracy_change([found], [found])) for found in (silent, loud)]
    without, with_probabilities = variants_table(rows).splitlines()[2:]
    assert "| not computed: images too large |" in without
    assert "| 0.25 |" in with_probabilities and "too large" not in with_probabilities


def test_metrics_are_those_of_a_model_file():
    metrics = metrics_of([answer(0.8, 0.6, "a"), answer(1.0, 0.7, "b")])
    assert metrics["cases"] == 2
    assert metrics["labels"]["Front"]["dice"]["mean"] == pytest.approx(0.9)
    assert metrics["labels"]["Front"]["dice"]["worst"] == 0.8


@pytest.fixture(scope="module")
def exchanged(model, tmp_path_factory):
    """The model with its two labels exchanged."""
    state = model.build_network().state_dict()
    for name, tensor in state.items():
        if name.startswith("output_block."):
            state[name] = tensor[[0, 2, 1]]
    folder = tmp_path_factory.mktemp("models") / "exchanged"
    return ModelBundle.save(folder, replace(model.spec, id="exchanged"), {"m.safetensors": state}, "", "", dtype=torch.float32)


def test_a_model_with_exchanged_labels_loses_what_can_be_computed_from_the_models_own_answers(model, exchanged, cases):
    found = answer_cases(RunSetup("model", model), [RunSetup("again", model), RunSetup("exchanged", exchanged)], cases[:2])
    assert list(found) == ["model", "again", "exchanged"]
    for case, same, again, other in zip(cases[:2], *found.values(), strict=True):
        volume, reference = case.read(model.spec)
        prediction = predict(volume, model, precision="float32")
        front, back = (prediction.labels.array == value for value in (1, 2))
        assert front.any() and back.any()
        assert same.largest == same.relabelled == 0
        assert again == same
        assert other.relabelled == 1
        assert other.largest == pytest.approx(np.abs(prediction.probabilities[1] - prediction.probabilities[2]).max(), abs=1e-5)
        truth = reference.array == 1
        assert same.dice["Front"] == pytest.approx(2 * (front & truth).sum() / (front.sum() + truth.sum()))
        assert other.dice["Front"] == pytest.approx(2 * (back & truth).sum() / (back.sum() + truth.sum()))


def test_half_precision_arithmetic_is_a_setup_too(model, cases):
    (found,) = answer_cases(RunSetup("model", model), [RunSetup("bfloat16", model, "bfloat16")], cases[:1])["bfloat16"]
    assert 0 < found.largest < 0.2


def test_a_case_that_cannot_be_read_is_named(model, cases, tmp_path):
    (tmp_path / "label.nii.gz").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=rf"^{cases[0].name}: "):
        answer_cases(RunSetup("model", model), [], [replace(cases[0], label=tmp_path / "label.nii.gz")])


def test_times_are_of_each_setup(model, monkeypatch):
    """Each setup's network passes as often as it shall; of a clock that only one of them moves that one has the time."""
    passes = {"plain": 0, "slow": 0}
    monkeypatch.setattr(speed, "_network", lambda setup: lambda windows: passes.__setitem__(setup.name, passes[setup.name] + 1))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: float(passes["slow"]))
    times = speed.milliseconds_per_window([RunSetup("plain", model), RunSetup("slow", model, "bfloat16")])
    assert passes["plain"] == passes["slow"] > 0
    assert times == {"plain": 0.0, "slow": pytest.approx(1000.0)}
