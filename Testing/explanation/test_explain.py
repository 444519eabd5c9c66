"""The whole road on the tiny model and on the shipped one: questions, places, refusals, and what is left behind."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepseg import api
from deepseg.cli import main
from deepseg.explanation.checks.agreement import shuffled
from deepseg.explanation.methods import METHODS, Asked
from deepseg.explanation.passes import Passes
from deepseg.explanation.question import Question
from deepseg.geometry import Geometry
from deepseg.golden import phantom
from deepseg.preprocessing import prepare
from deepseg.volume import Volume
from deepseg.window_network import WindowNetwork


@pytest.fixture(scope="module")
def a_volume():
    return phantom(1)


@pytest.fixture(scope="module")
def a_place(a_volume):
    return tuple(float(x) for x in a_volume.geometry.center_ras)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "attention-rollout"])
def test_each_method_gives_a_raw_map_on_the_images_grid_and_its_tests(name, a_volume, a_place, tiny_bundle):
    torch.manual_seed(5)
    expected = torch.randn(3)
    before = api.segment(a_volume, tiny_bundle).probabilities
    torch.manual_seed(5)
    told = []
    result = api.explain(a_volume, tiny_bundle, 1, place=a_place, method=name, progress=told.append, seed=3)
    assert torch.equal(torch.randn(3), expected), "nobody else's random numbers change"
    np.testing.assert_array_equal(api.segment(a_volume, tiny_bundle).probabilities, before)
    assert result.values.shape == a_volume.geometry.shape and result.values.dtype == np.float32
    assert np.isfinite(result.values).all() and result.values.any()
    names = [check.name for check in result.checks]
    assert names == ["deletion", "insertion", "shuffled weights", "another label", "noise", *(["inside"] if METHODS[name].needs_layer else [])]
    assert all(f"failed: {check.name}" in result.title or "," in result.title for check in result.failed)
    assert (result.layer is not None) == METHODS[name].needs_layer
    assert [p.fraction for p in told] == sorted(p.fraction for p in told) and told[-1].fraction == 1.0
    again = api.explain(a_volume, tiny_bundle, 1, place=a_place, method=name, seed=3, checks=False)
    np.testing.assert_array_equal(again.values, result.values)
    assert again.checks == ()


def test_shuffling_leaves_the_network_alone_even_right_after_a_gradient(hippocampus_cases):
    """The shipped network keeps its last answers, gradients and all, which PyTorch will not copy."""
    volume, bundle = api.read_volume(hippocampus_cases[0]), api.load_model("hippocampus-mr")
    prepared = prepare(volume, bundle.spec)
    network = WindowNetwork.of(bundle, bundle.spec, torch.device("cpu"), "float32", mirror=False)
    where = torch.full(prepared.tensor.shape[1:], 1 / prepared.tensor[0].numel())
    asked = Asked(Passes(network, Question(where, bundle.spec.channel_count, False, 1)), prepared.tensor)
    before = [weights.clone() for weights in network.members[0].parameters()]
    method = METHODS["gradient-times-input"]
    likeness, _ = shuffled(method, asked, method.attribute(asked))
    assert abs(likeness) < 0.5
    assert all(torch.equal(a, b) for a, b in zip(before, network.members[0].parameters(), strict=True))


def test_questions_are_told_in_words(a_volume, a_place, tiny_bundle):
    box = api.Box.from_center(a_place, (10.0, 10.0, 10.0))
    at = ", ".join(f"{x:.1f}" for x in a_place)
    asked = {
        f"Why Front at RAS {at} mm?": {"label": "Front", "place": a_place},
        f"Why Front and not Back at RAS {at} mm?": {"label": 1, "against": "Back", "place": a_place},
        f"Why Back and not background at RAS {at} mm?": {"label": 2, "against": 0, "place": a_place},
        f"What drives the doubt at RAS {at} mm?": {"doubt": True, "place": a_place},
    }
    for words, question in asked.items():
        assert api.explain(a_volume, tiny_bundle, method="grad-cam", checks=False, **question).question == words
    assert "in the box from RAS" in api.explain(a_volume, tiny_bundle, 1, place=box, method="grad-cam", checks=False).question


def test_a_contrast_is_turned_round_with_its_labels(a_volume, a_place, tiny_bundle):
    one, other = (
        api.explain(a_volume, tiny_bundle, a, against=b, place=a_place, method="gradient-times-input", checks=False) for a, b in ((1, 2), (2, 1))
    )
    np.testing.assert_allclose(one.values, -other.values, atol=1e-6)
    assert one.number == pytest.approx(-other.number, abs=1e-5)


def test_doubt_is_the_entropy_there(a_volume, a_place, tiny_bundle):
    """The number that is explained is the one that a single pass tells of."""
    grid = replace(a_volume.geometry, ijk_to_ras=np.diag([-1.5, -1.5, 1.5, 1.0]))
    volume = Volume(a_volume.array, Geometry(grid.shape, grid.ijk_to_ras))
    place = tuple(float(x) for x in volume.geometry.center_ras)
    voxel = tuple(np.round(volume.geometry.ijk_from_ras(np.array(place))).astype(int))
    doubt = api.estimate_uncertainty(volume, tiny_bundle, sampler="single-pass").maps["predictive_entropy"].values[voxel]
    assert api.explain(volume, tiny_bundle, doubt=True, place=place, method="grad-cam", checks=False).number == pytest.approx(doubt, abs=1e-4)


def test_nothing_outside_the_box_is_explained(a_volume, a_place, tiny_bundle):
    box = api.Box.from_center(a_place, (24.0, 24.0, 24.0))
    result = api.explain(a_volume, tiny_bundle, 1, box, place=a_place, method="gradient-times-input", checks=False)
    outside = np.ones(a_volume.geometry.shape, bool)
    outside[a_volume.geometry.slices_of(box)] = False
    assert result.values.any() and not result.values[outside].any()


WRONG = {
    "attention of none": ({"label": 1, "method": "attention-rollout"}, "has no attention to look at"),
    "method": ({"label": 1, "method": "guess"}, "There is no way of explaining named 'guess'; there are grad-cam"),
    "label": ({"label": "Middle"}, "has no label 'Middle'; it has Front, Back"),
    "nothing": ({}, r"Name a label \(Front, Back\) or a place"),
    "itself": ({"label": 1, "against": 1}, "cannot be held against itself"),
    "outside": ({"label": 1, "place": (999.0, 0.0, 0.0)}, r"RAS 999\.0, 0\.0, 0\.0 mm lies outside"),
    "layer": ({"label": 1, "method": "grad-cam", "layer": "nowhere"}, "has no layer 'nowhere'"),
    "layer of none": ({"label": 1, "method": "relevance", "layer": "bottleneck"}, "looks at no layer"),
}


@pytest.mark.parametrize(("wish", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_wish_is_one_clear_sentence(wish, told, a_volume, tiny_bundle):
    with pytest.raises(api.ExplanationError, match=told) as caught:
        api.explain(a_volume, tiny_bundle, checks=False, **wish)
    assert "\n" not in str(caught.value)


def test_a_segment_that_is_not_there_is_not_explained(hippocampus_cases):
    volume = api.read_volume(hippocampus_cases[0])
    right = np.indices(volume.array.shape)[1] > volume.array.shape[1] // 2
    bright_on_one_side = Volume(right.astype(np.float32), volume.geometry)
    with pytest.raises(api.ExplanationError, match="finds no 'Posterior hippocampus' in this image"):
        api.explain(bright_on_one_side, api.load_model("hippocampus-mr"), "Posterior hippocampus", checks=False)


def test_the_command_writes_a_map_and_its_tests(a_volume, a_place, tiny_bundle, tmp_path, capsys):
    api.write_volume(a_volume, tmp_path / "image.nii.gz")
    words = [
        "explain",
        tmp_path / "image.nii.gz",
        "-m",
        tiny_bundle.folder,
        "-o",
        tmp_path / "why.nii.gz",
        "--label",
        "Front",
        "--method",
        "grad-cam",
    ]
    words += ["--at", *a_place]
    assert main([str(word) for word in words]) == 0
    said = capsys.readouterr().out
    assert "Why Front at RAS" in said and "By Grad-CAM" in said
    assert said.count("passed: ") + said.count("FAILED: ") == 6
    assert ("Do not believe this map" in said) == ("FAILED" in said)
    expected = api.explain(api.read_volume(tmp_path / "image.nii.gz"), tiny_bundle, "Front", place=a_place, method="grad-cam", checks=False)
    np.testing.assert_array_equal(api.read_volume(tmp_path / "why.nii.gz").array[0], expected.values)
    table = (tmp_path / "why-checks.csv").read_text(encoding="utf-8-sig")
    assert table.startswith("test,value,limit,passed,share,certainty") and table.count("deletion,") == 10
    assert main([*(str(word) for word in words), "--no-checks"]) == 0
    assert "This map was not tested." in capsys.readouterr().out
    assert (tmp_path / "why.earlier-checks.csv").is_file()
