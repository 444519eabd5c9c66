"""Calibration errors of an evaluation: by hand, as the command prints them, and in the report."""

import numpy as np
import pytest

from deepseg_train.calibration.region_sums import BAND, region_sums
from deepseg_train.commands import evaluate
from deepseg_train.evaluation.calibration_table import calibration_cells, calibration_of

from .conftest import box, run_command


def test_one_probability_for_all_is_off_by_the_observed_share():
    present = box((2, 2, 2), (8, 6, 6)) > 0
    sums = region_sums({"none": np.full(present.shape, 0.8)}, present, (BAND,))
    share = sums[BAND]["none"].observed.sum() / sums[BAND]["none"].count.sum()
    found = calibration_of([{"Front": sums}] * 3)["regions"][BAND]["Front"]["none"]
    assert found["ece"]["value"] == pytest.approx(abs(0.8 - share), abs=1e-4)
    assert found["brier"]["value"] == pytest.approx(share * 0.04 + (1 - share) * 0.64, abs=1e-4)
    # Three cases that are alike leave nothing to chance.
    assert found["ece"]["low"] == pytest.approx(found["ece"]["high"])


def test_label_files_and_labels_that_are_nowhere_have_no_calibration():
    nowhere = region_sums({"none": np.zeros((4, 4, 4))}, np.zeros((4, 4, 4), bool), (BAND,))
    assert calibration_of([]) == {} and calibration_of([{"Front": nowhere}]) == {}


def test_a_models_errors_are_printed_and_drawn(boxes, tiny_model, tmp_path, capsys):
    run_command(evaluate, "evaluate", tiny_model, "--data", boxes, "--report", tmp_path / "report.html", "--checklist", tmp_path / "list.md")
    told = capsys.readouterr().out
    assert "| label | ECE | ACE | Brier | NLL |" in told and "within three voxels of the true boundary" in told
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("the 6 cases of this report") == 2 and page.count('class="curve"') == 2
    assert "Calibration: Probabilities as the network gives them" in (tmp_path / "list.md").read_text(encoding="utf-8")


def test_cells_have_intervals():
    present = box((2, 2, 2), (8, 6, 6)) > 0
    heads, lines = calibration_cells(calibration_of([{"Front": region_sums({"none": np.full(present.shape, 0.5)}, present, (BAND,))}]))
    assert len(heads) == len(lines[0]) == 5 and lines[0][0] == "Front" and " to " in lines[0][1]
