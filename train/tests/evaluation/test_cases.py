"""From label files to rows, to a summary and its table, and back from CSV."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest

from deepseg.bundle import ModelBundle
from deepseg.io import write_label_map
from deepseg.spec import InputSpec, IntensityStep, OutputSpec
from deepseg.volume import LabelMap
from deepseg_train.data import Case, open_dataset
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.card import model_card
from deepseg_train.evaluation.cases import FolderAnswers, ModelAnswers, rows_of
from deepseg_train.evaluation.measures import MEASURES
from deepseg_train.evaluation.rows import read_rows, write_rows
from deepseg_train.evaluation.summary import summarise
from deepseg_train.evaluation.tables import table

from .conftest import GRID, LABELS, box


def rows_with(**measured):
    """A row per value; measures that are not named are 0.5 everywhere."""
    count = len(next(iter(measured.values())))
    rows = [{"case": str(n), "patient": str(n), "label": "A", **dict.fromkeys(MEASURES, 0.5)} for n in range(count)]
    return [row | {measure: values[n] for measure, values in measured.items()} for n, row in enumerate(rows)]


@pytest.fixture(scope="module")
def rows(boxes):
    return rows_of(FolderAnswers(boxes / "predicted", LABELS), open_dataset(boxes).cases)


def test_label_files_of_others_are_measured(rows):
    front = {row["case"]: row for row in rows if row["label"] == "Front"}
    for n in range(6):
        assert front[f"short_{n}"]["dice"] == pytest.approx(2 * (6 - n) / (12 - n))
        assert front[f"short_{n}"]["hd95_mm"] <= n
        assert front[f"short_{n}"]["volume_error_ml"] == pytest.approx(-n * 16 * 3e-3)
    back = {row["case"]: row for row in rows if row["label"] == "Back"}
    assert back["short_3"]["hd95_mm"] == math.inf and back["short_2"]["dice"] == 1


def test_rows_come_back_from_their_file(rows, tmp_path):
    write_rows(rows, tmp_path / "rows.csv")
    for row, back in zip(rows, read_rows(tmp_path / "rows.csv"), strict=True):
        assert row.keys() == back.keys()
        assert all(row[key] == back[key] or (math.isnan(row[key]) and math.isnan(back[key])) for key in row)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no case, label, dice"),
        ("case,label\na,b\n", "no dice"),
        ("case,label,dice\na,b,c\n", "no number"),
        ("case,label,dice\na,b,1\na,b,1\n", "several lines for the same case"),
    ],
)
def test_other_tables_are_refused(text, told, tmp_path):
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=told):
        read_rows(tmp_path / "other.csv")


def test_a_summary_tells_what_is_infinite_and_what_is_undefined(rows):
    summary = summarise(rows)
    json.dumps(summary, allow_nan=False)
    back = summary["labels"]["Back"]
    assert (back["hd95_mm"]["mean"], back["hd95_mm"]["infinite"], back["hd95_mm"]["median"], back["hd95_mm"]["worst"]) == (None, 1, 0.0, None)
    assert (back["precision"]["cases"], back["precision"]["mean"]) == (5, 1.0)
    assert (back["auroc"]["cases"], back["auroc"]["mean"]) == (0, None)
    front = summary["labels"]["Front"]["dice"]
    assert front["mean"] == pytest.approx(np.mean([2 * (6 - n) / (12 - n) for n in range(6)]))
    assert front["low"] < front["mean"] < front["high"] <= 1
    assert front["worst"] == pytest.approx(2 / 7)
    told = table(summary)
    assert "infinite in 1 of 6 cases, median 0.00" in told
    assert "(1.000 to 1.000, 5 cases)" in told
    assert "AUROC" not in told
    assert told.count("| Front |") == 2


def test_the_worst_case_is_the_lowest_score_and_the_largest_error():
    figures = summarise(rows_with(dice=[0.9, 0.7, 0.8], hd95_mm=[0.0, 1.0, 0.5], volume_error_percent=[1.0, -3.0, 2.0]))["labels"]["A"]
    assert [figures[m]["worst"] for m in ("dice", "hd95_mm", "volume_error_percent")] == [0.7, 1.0, -3.0]


def test_a_model_card_says_how_each_input_is_normalised(rows, tiny_model):
    window = IntensityStep("ct_window", {"low": -57.0, "high": 164.5, "mean": 99.0, "std": 39.0})
    inputs = (InputSpec("CT", "CT", "HU", (window, IntensityStep("zscore"))), InputSpec("Mask", "other", "a.u."))
    metrics = {"what": "Test cases.", **summarise(rows)}
    told = model_card(dataclasses.replace(ModelBundle.load(tiny_model).spec, inputs=inputs, metrics=metrics))
    assert "CT (CT, HU), normalised by ct_window (low -57, high 164.5, mean 99, std 39), zscore; Mask (other, a.u.), normalised by nothing\n" in told


def test_a_table_of_an_older_model_file_is_still_drawn():
    old = {"cases": 31, "labels": {"A": {"dice": {"mean": 0.9, "low": 0.88, "high": 0.91, "worst": 0.8}}}}
    assert "| A | 0.900 (0.880 to 0.910) |" in table(old)


def test_cases_of_one_patient_are_told_and_widen_the_interval():
    apart = rows_with(dice=[0.5, 0.52, 0.9, 0.92, 0.6, 0.61, 0.8, 0.82])
    together = [row | {"patient": "abcd"[int(row["case"]) // 2]} for row in apart]
    first, second = summarise(apart), summarise(together)
    assert (first["interval"], second["interval"]) == ("95 % BCa bootstrap over cases", "95 % BCa bootstrap over patients")
    assert (second["cases"], second["patients"]) == (8, 4)
    widths = [told["labels"]["A"]["dice"]["high"] - told["labels"]["A"]["dice"]["low"] for told in (first, second)]
    assert widths[1] > 1.2 * widths[0]


def test_all_missing_predictions_are_named(boxes, tmp_path):
    shutil.copy(boxes / "predicted" / "short_1.nii.gz", tmp_path)
    with pytest.raises(DatasetError, match=r"for 5 of 6 cases: short_0, short_2.*ending in \.seg\.nrrd, \.nrrd, \.nii\.gz, \.nii, \.mha\."):
        FolderAnswers(tmp_path, LABELS).refuse_missing(open_dataset(boxes).cases)


def test_a_prediction_on_another_grid_or_with_other_labels_is_refused(boxes, tmp_path):
    cases = open_dataset(boxes).cases[:1]
    moved = dataclasses.replace(GRID, ijk_to_ras=GRID.ijk_to_ras + np.outer([1, 0, 0, 0], [0, 0, 0, 1]))
    write_label_map(LabelMap(box((2, 2, 2), (4, 4, 4)), moved, LABELS), tmp_path / "short_0.nii.gz")
    with pytest.raises(DatasetError, match="short_0: the grids of the prediction"):
        rows_of(FolderAnswers(tmp_path, LABELS), cases)
    write_label_map(LabelMap(box((2, 2, 2), (4, 4, 4), 3), GRID, LABELS), tmp_path / "short_0.nii.gz")
    with pytest.raises(DatasetError, match=r"short_0: .*label values 0, 3; expected only 0, 1, 2"):
        rows_of(FolderAnswers(tmp_path, LABELS), cases)


def test_label_values_of_the_dataset_become_those_of_the_model_and_an_empty_reference_is_a_case(tmp_path):
    reference, empty, predicted = tmp_path / "reference.nii.gz", tmp_path / "empty.nii.gz", tmp_path / "predicted"
    predicted.mkdir()
    write_label_map(LabelMap(box((2, 2, 2), (4, 4, 4), 7), GRID, ()), reference)
    write_label_map(LabelMap(np.zeros(GRID.shape, np.uint8), GRID, ()), empty)
    for name in "ab":
        write_label_map(LabelMap(box((2, 2, 2), (4, 4, 3), 7), GRID, ()), predicted / f"{name}.nii.gz")
    cases = [Case("a", "a", (), reference, values=(7, 9)), Case("b", "b", (), empty, values=(7, 9))]
    found = rows_of(FolderAnswers(predicted, LABELS), cases)
    assert [row["dice"] for row in found] == pytest.approx([2 * 4 / 12, 1, 0, 1])


def test_segmentations_of_deepseg_batch_have_the_models_values(tmp_path):
    """Also where the dataset has others."""
    predicted, cases = tmp_path / "predicted", []
    predicted.mkdir()
    for name, values in (("a", ()), ("b", (7, 9))):
        write_label_map(LabelMap(box((2, 2, 2), (4, 4, 4), values[1] if values else 2), GRID, ()), tmp_path / f"{name}.nii.gz")
        write_label_map(LabelMap(box((2, 2, 2), (4, 4, 3), 2), GRID, LABELS), predicted / f"{name}.seg.nrrd")
        cases.append(Case(name, name, (), tmp_path / f"{name}.nii.gz", values=values))
    found = rows_of(FolderAnswers(predicted, LABELS), cases)
    assert [row["dice"] for row in found] == pytest.approx([1, 2 * 4 / 12] * 2)


def test_a_segmentation_of_several_layers_is_refused(tmp_path):
    reference = tmp_path / "a.nii.gz"
    write_label_map(LabelMap(box((2, 2, 2), (4, 4, 4)), GRID, ()), reference)
    bits = box((2, 2, 2), (4, 4, 4)) + 2 * box((3, 3, 3), (6, 6, 6))
    write_label_map(LabelMap(bits, GRID, LABELS, overlapping=True), tmp_path / "a.seg.nrrd")
    with pytest.raises(DatasetError, match=r"a: .*a\.seg\.nrrd has 2 layers of segments, which may overlap.* one layer"):
        FolderAnswers(tmp_path, LABELS).to(Case("a", "a", (), reference))


def test_labels_that_may_overlap_are_not_compared_with_labels_that_exclude_each_other(tiny_model):
    bundle = ModelBundle.load(tiny_model)
    assert ModelAnswers(bundle, mirror=True).how == "whole images, each segmented as it is and mirrored, averaged"
    with pytest.raises(DatasetError, match=r"The labels of tiny may overlap \(Front, Back\), those of a dataset exclude each other"):
        ModelAnswers(dataclasses.replace(bundle, spec=dataclasses.replace(bundle.spec, output=OutputSpec("sigmoid"))))
