"""A run repeated: up to where it ended, compared with what it was, and never with itself."""

import json
import shutil

import pytest
import torch

from deepseg_train.cli import main
from deepseg_train.export import export
from deepseg_train.training.fit import fit
from deepseg_train.training.run_folder import BEST, end_of
from deepseg_train.training.stopping import EndAfter

from .conftest import SHORT

pytestmark = pytest.mark.filterwarnings("ignore:.*many workers")


@pytest.fixture(scope="module")
def ended(small_config, msd_folder, tmp_path_factory):
    """A run of up to three epochs that its search has ended after the first."""
    run = tmp_path_factory.mktemp("runs") / "run"
    fit(small_config, msd_folder, run, {**SHORT, "training.epochs": 3}, extra_callbacks=[EndAfter(1, "pruned by its search")])
    return run


def reproduced(run, data, again):
    return main(["reproduce", str(run), "--data", str(data), "-o", str(again)])


def test_a_run_that_was_ended_is_repeated_up_to_there(ended, msd_folder, tmp_path, capsys):
    assert reproduced(ended, msd_folder, tmp_path / "again") == 0
    assert "to the bit" in capsys.readouterr().out
    end = end_of(tmp_path / "again")
    assert (end.epochs, end.stopped) == (1, "pruned by its search")


def test_an_export_tells_that_a_run_was_ended(ended, msd_folder, tmp_path):
    made = export([ended], msd_folder, tmp_path / "model").spec.provenance
    assert made["epochs"] == "best of validation at epoch 1 of 3; ended after epoch 1: pruned by its search"


@pytest.mark.parametrize("change", [1e-3, float("nan")])
def test_weights_that_differ_are_told(ended, msd_folder, tmp_path, capsys, change):
    run = shutil.copytree(ended, tmp_path / "run")
    checkpoint = torch.load(run / BEST, map_location="cpu", weights_only=True)
    checkpoint["state_dict"]["network.bottleneck.conv1.conv.weight"][0, 0, 0, 0, 0] += change
    torch.save(checkpoint, run / BEST)
    assert reproduced(run, msd_folder, tmp_path / "again") == 1
    assert f"differ from those of {run} by up to {change:.3g}." in capsys.readouterr().out


def test_a_run_is_not_compared_with_itself(ended, msd_folder, tmp_path, capsys):
    before = (ended / "finished.json").read_bytes()
    for again, said in ((ended, "the run itself"), (shutil.copytree(ended, tmp_path / "copy"), "a finished run already")):
        assert reproduced(ended, msd_folder, again) == 2
        assert f"holds {said}, so nothing would be repeated" in capsys.readouterr().err
    assert (ended / "finished.json").read_bytes() == before


def test_the_end_of_a_run_of_an_earlier_version_is_read(tmp_path):
    (tmp_path / "finished.json").write_text(json.dumps({"epochs": 5, "seconds": 90}), encoding="utf-8")
    assert end_of(tmp_path).stopped is None
