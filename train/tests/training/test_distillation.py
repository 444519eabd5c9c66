"""A student that learns from a teacher's answers."""

from dataclasses import replace

import pytest
import torch

from deepseg import api
from deepseg.networks import build_network
from deepseg.spec import NetworkSpec, OutputSpec
from deepseg_train.config import load_config
from deepseg_train.errors import ConfigError
from deepseg_train.training import distillation
from deepseg_train.training.distillation import DistillationSettings, Teacher
from small_networks import SMALL_DYNUNET


@pytest.fixture(scope="module")
def spec(small_config):
    return replace(load_config(small_config).spec, network=NetworkSpec("DynUNet", SMALL_DYNUNET))


@pytest.fixture(scope="module")
def ensemble(spec, tmp_path_factory) -> str:
    members = {}
    for n in range(2):
        torch.manual_seed(n)
        members[f"member-{n}.safetensors"] = build_network("DynUNet", SMALL_DYNUNET).state_dict()
    folder = tmp_path_factory.mktemp("teacher") / "ensemble"
    api.ModelBundle.save(folder, spec, members, "card", "licence")
    return str(folder)


def test_one_member_at_random_answers_each_batch(ensemble, spec):
    teacher, images = Teacher(DistillationSettings(ensemble), spec), torch.randn(2, 1, 16, 16, 16)
    torch.manual_seed(0)
    answers = [teacher.answer(images) for _ in range(24)]
    kinds = {float(answer[0, 0, 0, 0, 0]) for answer in answers}
    assert len(kinds) == 2, "both members are asked, and nothing else"
    assert all(answer.shape == (2, 3, 16, 16, 16) for answer in answers)
    assert torch.allclose(answers[0].sum(1), torch.ones(2, 16, 16, 16), atol=1e-5)


def test_a_high_temperature_softens(ensemble, spec):
    images = torch.randn(1, 1, 16, 16, 16) * 5
    torch.manual_seed(0)
    plain = Teacher(DistillationSettings(ensemble), spec).answer(images)
    torch.manual_seed(0)
    soft = Teacher(DistillationSettings(ensemble, temperature=4.0), spec).answer(images)
    assert float((soft.log() * 4).softmax(1).sub(plain).abs().max()) < 1e-2


def test_a_teacher_of_other_images_is_refused(ensemble, spec):
    with pytest.raises(ConfigError, match=r"its spacing_mm is \(1\.0, 1\.0, 1\.0\); the student's is \(2\.0, 2\.0, 2\.0\)"):
        Teacher(DistillationSettings(ensemble), replace(spec, spacing_mm=(2.0, 2.0, 2.0)))
    with pytest.raises(ConfigError, match="The teacher nowhere cannot be used"):
        Teacher(DistillationSettings("nowhere"), spec)


def test_a_teacher_may_name_its_labels_and_inputs_otherwise(ensemble, spec, capsys):
    labels = tuple(replace(label, name=name) for label, name in zip(spec.labels, ("Head", "Tail"), strict=True))
    Teacher(DistillationSettings(ensemble), replace(spec, labels=labels, inputs=(replace(spec.inputs[0], name="T1"),)))
    theirs = ", ".join(f"{label.value} {label.name}" for label in spec.labels)
    assert f"taken by value: {theirs} for 1 Head, 2 Tail." in capsys.readouterr().out


def test_a_teacher_whose_same_labels_have_other_values_is_refused(ensemble, spec):
    names = [label.name for label in spec.labels][::-1]
    swapped = tuple(replace(label, name=name) for label, name in zip(spec.labels, names, strict=True))
    with pytest.raises(ConfigError, match="cannot teach this model: its labels are 1 "):
        Teacher(DistillationSettings(ensemble), replace(spec, labels=swapped))


@pytest.mark.parametrize("what", ["input", "resampling", "crop"])
def test_a_teacher_of_another_kind_is_refused(ensemble, spec, what):
    others = {"input": (replace(spec.inputs[0], modality="CT"),), "resampling": replace(spec.resampling, order=3), "crop": "nonzero"}
    with pytest.raises(ConfigError, match=f"cannot teach this model: its {what} is "):
        Teacher(DistillationSettings(ensemble), replace(spec, **{"inputs" if what == "input" else what: others[what]}))


def test_a_teacher_whose_labels_may_overlap_is_refused(spec, tmp_path):
    labels = (*spec.labels, replace(spec.labels[0], value=3, name="Third"))
    weights = {"model.safetensors": build_network("DynUNet", SMALL_DYNUNET).state_dict()}
    api.ModelBundle.save(tmp_path / "teacher", replace(spec, labels=labels, output=OutputSpec("sigmoid")), weights, "card", "licence")
    with pytest.raises(ConfigError, match="cannot teach this model: its labels may overlap; the student's exclude each other"):
        Teacher(DistillationSettings(str(tmp_path / "teacher")), spec)


def test_a_window_that_the_teacher_cannot_take_is_told_before_training(ensemble, spec):
    with pytest.raises(ConfigError, match="cannot answer to the student's windows of 24 x 24 x 25 voxels"):
        Teacher(DistillationSettings(ensemble), replace(spec, window=replace(spec.window, size=(24, 24, 25))))


def test_a_teacher_answers_in_its_own_number_type(ensemble, spec, monkeypatch):
    monkeypatch.setattr(distillation, "fast_precision", lambda device: "float32")
    teacher, images = Teacher(DistillationSettings(ensemble), spec), torch.randn(1, 1, 16, 16, 16)
    torch.manual_seed(0)
    plain = teacher.answer(images)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(teacher.answer(images), plain)


@pytest.mark.parametrize(("changed", "said"), [({"weight": 0.0}, "weight is 0"), ({"temperature": 0.0}, "temperature is 0")])
def test_values_that_cannot_be_are_refused(changed, said):
    with pytest.raises(ConfigError, match=said):
        DistillationSettings("teacher", **changed)
