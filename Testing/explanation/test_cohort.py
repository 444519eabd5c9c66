"""Where attributions lie, how far a model sees, and both over a cohort."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from deepseg import api, networks
from deepseg.cli import main
from deepseg.explanation.passes import Passes
from deepseg.explanation.question import Question
from deepseg.explanation.receptive_field import receptive_field
from deepseg.explanation.shares import over_cohort, shares_of, shells
from deepseg.golden import phantom
from deepseg.spec import NetworkSpec, WindowSpec
from deepseg.window_network import WindowNetwork


def test_shares_say_in_which_input_how_far_away_and_next_to_what(tiny_spec):
    spec = replace(tiny_spec, inputs=tiny_spec.inputs * 2)
    spec = replace(spec, inputs=(replace(spec.inputs[0], name="A"), replace(spec.inputs[1], name="B")))
    labels = np.zeros((20, 20, 20), np.uint16)
    labels[5:10, 5:15, 5:15], labels[10:15, 5:15, 5:15] = 1, 2
    values = np.zeros((2, 20, 20, 20), np.float32)
    values[0, 7, 10, 10] = 2.0  # two voxels inside label 1, 4 mm from its boundary at most
    values[1, 12, 10, 10] = -1.0  # in label 2
    values[1, 0, 0, 0] = 1.0  # far away
    found = shares_of(values, labels, 1, (2.0, 2.0, 2.0), spec)
    assert found["input", "A"] == (0.5, 0.5) and found["input", "B"] == (0.5, 0.5)
    assert found["label", "Front"] == (0.5, 500 / 8000)
    assert found["label", "Back"][0] == found["label", "background"][0] == 0.25
    inside = sum(found["distance", name][0] for name, _, high in shells() if high <= 0)
    assert inside == 0.5
    assert sum(found["distance", name][0] for name, _, _ in shells()) == pytest.approx(1)
    assert sum(found["distance", name][1] for name, _, _ in shells()) == pytest.approx(1)


def test_over_a_cohort_there_is_an_interval_and_a_density():
    cases = [{("input", "A"): (share, 0.5)} for share in (0.2, 0.4, 0.6)]
    (found,) = over_cohort(cases)
    assert found.mean == pytest.approx(0.4) and found.density == pytest.approx(0.8)
    assert 0.2 <= found.low < 0.4 < found.high <= 0.6


class Chain(nn.Module):
    """Three convolutions: seven voxels wide, but the last two pass on only their middle."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv3d(1 if n == 0 else 2, 3 if n == 2 else 2, 3, padding=1) for n in range(3)))
        for layer in list(self.layers)[1:]:
            layer.weight.data *= torch.zeros(3, 3, 3).index_put((torch.tensor([1]),) * 3, torch.tensor(1.0)) + 1e-4

    def forward(self, windows):
        return self.layers(windows)


def test_a_chain_sees_seven_voxels_and_looks_at_three(tiny_spec, monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Chain().eval().requires_grad_(False)
    monkeypatch.setitem(networks.NETWORKS, "Chain", Chain)
    spec = replace(tiny_spec, spacing_mm=(2.0, 1.0, 1.0), network=NetworkSpec("Chain", {}), window=WindowSpec((16, 16, 16)))
    where = torch.zeros((16, 16, 16))
    where[8, 7, 8] = 1.0
    passes = Passes(WindowNetwork([network], spec, "float32"), Question(where, 3, False, 1))
    before = network.layers[0].weight.clone()
    found = receptive_field(passes, torch.randn((1, 16, 16, 16), generator=torch.Generator().manual_seed(1)))
    assert found.theoretical_mm == (14.0, 7.0, 7.0)
    assert found.effective_mm[0] < 8 and found.effective_mm[1] < 4
    assert torch.equal(network.layers[0].weight, before)


def test_the_command_writes_a_table_over_the_cases(tiny_bundle, tmp_path, capsys):
    for n in range(2):
        api.write_volume(phantom(1), tmp_path / f"image{n}.nii.gz")
    words = ["explain-cohort", tmp_path / "image0.nii.gz", tmp_path / "image1.nii.gz", "-m", tiny_bundle.folder, "--label", "Front"]
    assert main([str(word) for word in (*words, "-o", tmp_path / "table.csv")]) == 0
    said = capsys.readouterr().out
    assert "What matters for Front in 2 of 2 images" in said
    assert "the model can see" in said
    lines = (tmp_path / "table.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 1 + 1 + len(shells()) + 3
    assert main([str(word) for word in (*words[:-1], "Middle", "-o", tmp_path / "other.csv")]) == 2
    assert "has no label 'Middle'" in capsys.readouterr().err
