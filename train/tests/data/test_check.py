"""Every kind of damage is found, named by file with a reason, and none hides another."""

import argparse
import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from deepseg_train.commands import check as command
from deepseg_train.data import open_dataset
from deepseg_train.data.check import check_dataset
from deepseg_train.errors import DatasetError

from .conftest import SHAPE, model, write_image, write_labels, write_msd, write_nnunet


def blocks(values=(1, 2), shape=SHAPE):
    array = np.zeros(shape, np.float32)
    array[1:3, 2:5, 2:6], array[3:5, 2:5, 2:6] = values
    return array


def save(path, array, affine=None, sheared=None):
    """As nibabel writes it, so that what our own writers refuse gets into a file."""
    image = nibabel.Nifti1Image(np.asarray(array, np.float32), np.eye(4) if affine is None else affine)
    if sheared is not None:
        image.set_sform(sheared, 1)
        image.set_qform(None, 0)
    nibabel.save(image, path)


def skew():
    matrix = np.eye(4)
    matrix[0, 1] = 0.3
    return matrix


def truncate(folder):
    path = folder / "imagesTr" / "case_01.nii.gz"
    path.write_bytes(path.read_bytes()[:400])


def with_nan(array):
    array = np.array(array)
    array[2, 2, 2] = np.nan
    return array


NOISE = np.random.default_rng(7).normal(100, 10, SHAPE)
IMAGE, LABEL = "imagesTr/case_01.nii.gz", "labelsTr/case_01.nii.gz"
DAMAGES = {
    "missing image": (lambda f: (f / IMAGE).unlink(), IMAGE, "the file is missing"),
    "missing labels": (lambda f: (f / LABEL).unlink(), LABEL, "the file is missing"),
    "no image": (lambda f: (f / IMAGE).write_bytes(b"no image"), IMAGE, "cannot be read as an image"),
    "cut off": (truncate, IMAGE, "damaged"),
    "not a number": (lambda f: save(f / IMAGE, with_nan(NOISE)), IMAGE, "holds 1 voxels that are not numbers"),
    "constant": (lambda f: save(f / IMAGE, np.full(SHAPE, 3.0)), IMAGE, "has the value 3 in every voxel"),
    "two dimensions": (lambda f: save(f / IMAGE, NOISE[0]), IMAGE, "2 dimensions"),
    "two channels": (lambda f: save(f / IMAGE, np.stack([NOISE, NOISE], -1)), IMAGE, "the case has 2 channels, expected 1"),
    "labels of four dimensions": (lambda f: save(f / LABEL, np.stack([blocks()] * 2, -1)), LABEL, "four dimensions"),
    "skewed": (lambda f: save(f / IMAGE, NOISE, sheared=skew()), IMAGE, "not perpendicular"),
    "other shape": (lambda f: save(f / LABEL, blocks(shape=(6, 8, 9))), LABEL, "6 x 8 x 9 voxels against 6 x 8 x 10"),
    "other spacing": (lambda f: save(f / LABEL, blocks(), np.diag([1, 1, 2, 1])), LABEL, "1 x 1 x 2 mm voxels against 1 x 1 x 1 mm"),
    "other place": (lambda f: write_labels(f / LABEL, origin=(0.0, 4.0, 3.0)), LABEL, "corners lie up to 5 mm apart"),
    "other directions": (lambda f: save(f / LABEL, blocks(), np.diag([-1, 1, 1, 1])), LABEL, "the axes point elsewhere, and corners lie up to 10 mm"),
    "label fractions": (lambda f: save(f / LABEL, blocks((1, 1.5))), LABEL, "1 label values are not whole numbers, such as 1.5"),
    "unknown label": (lambda f: write_labels(f / LABEL, values=(1, 9)), LABEL, "label values that are not declared: 9; declared are 0 and 1, 2"),
    "negative label": (lambda f: save(f / LABEL, blocks((1, -1))), LABEL, "not declared: -1"),
    "empty label": (lambda f: write_labels(f / LABEL, values=(0, 0)), LABEL, "no label, background only"),
    "metres": (
        lambda f: (write_image(f / IMAGE, seed=7, spacing=(0.001,) * 3), write_labels(f / LABEL, spacing=(0.001,) * 3)),
        IMAGE,
        "voxels are 0.001 x 0.001 x 0.001 mm, more than 10 times off the median 1 x 1 x 1 mm",
    ),
    "one image twice": (lambda f: write_image(f / IMAGE, seed=3), "imagesTr/case_03.nii.gz", "of patient case_03 instead of case_01"),
}


def check(path, spec=None, **settings):
    return check_dataset(open_dataset(path, complete=False, **settings), spec)


def test_a_good_dataset_has_no_problem(msd, nnunet, bids, table):
    for path, spec in ((msd, model(1)), (nnunet, model(2)), (bids, model(1)), (table, model(2))):
        assert check(path) == check(path, spec) == []


@pytest.mark.parametrize("damage, file, reason", DAMAGES.values(), ids=DAMAGES)
def test_each_kind_of_damage_is_found_alone(msd, damage, file, reason):
    damage(msd)
    (problem,) = check(msd)
    assert problem.file == msd / file
    assert reason in problem.reason
    assert problem.advice.endswith(".")
    assert "\n" not in str(problem)


def test_no_problem_hides_another(msd):
    truncate(msd)
    write_labels(msd / "labelsTr" / "case_01.nii.gz", values=(0, 0))
    save(msd / "labelsTr" / "case_02.nii.gz", blocks((1.5, 9)), np.diag([1, 1, 2, 1]))
    (msd / "labelsTr" / "case_03.nii.gz").unlink()
    found = [(problem.file.parent.name, problem.file.name[:7]) for problem in check(msd)]
    assert found == [("imagesTr", "case_01"), ("labelsTr", "case_01"), *[("labelsTr", "case_02")] * 3, ("labelsTr", "case_03")]


def reasons(path):
    return [(problem.file.name, problem.reason) for problem in check(path)]


def test_what_is_wrong_with_a_table_hides_neither_its_other_rows_nor_its_files(table):
    files = table.parent / "files"
    rows = [line.replace("files/1-labels.nii.gz", "files/1-labels.nrrd") for line in table.read_text().splitlines()]
    rows += ["scan3,p3,files/3-t1.nii.gz,,files/3-labels.nii.gz,A", "scan4,,files/4-t1.nii.gz,files/4-t2.nii.gz,files/4-labels.nii.gz,A"]
    for channel in (1, 2):
        write_image(files / f"4-t{channel}.nii.gz", seed=40 + channel)
    save(files / "4-labels.nii.gz", blocks((1, -1)))
    # ITK's reader of NIfTI would hide it.
    image = sitk.GetImageFromArray(with_nan(blocks()).T)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(files / "1-labels.nrrd"))
    table.write_text("\n".join(rows) + "\n")
    assert reasons(table) == [
        ("cases.csv", "row 5 has nothing in the column image_1"),
        ("cases.csv", "row 6 has nothing in the column patient"),
        ("1-labels.nrrd", "labels are NaN or infinite"),
        ("4-labels.nii.gz", "negative: -1"),
    ]
    with pytest.raises(DatasetError, match=r"row 5 has nothing(.|\n)*row 6 has nothing"):
        open_dataset(table)


def test_a_wrong_number_of_cases_hides_no_other_problem(tmp_path):
    folder = write_nnunet(tmp_path / "nnunet", numTraining=7)
    (folder / "imagesTr" / "scan_1_0001.nii.gz").unlink()
    announced = f"it announces numTraining 7; there are 3 cases in {folder}"
    assert reasons(folder) == [("dataset.json", announced), ("scan_1_0001.nii.gz", "the file is missing")]


def test_what_is_wrong_with_a_bids_dataset_hides_none_of_its_files(bids):
    labels = bids / "derivatives" / "manual"
    (bids / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz").unlink()
    (labels / "sub-03/anat/sub-03_run-2_dseg.nii.gz").rename(labels / "sub-03/anat/sub-03_dseg.nii.gz")
    (bids / "participants.tsv").write_text("participant_id\tsex\nsub-01\tF\n")
    (labels / "sub-02/anat/sub-02_dseg.tsv").write_text("index\tname\n100\tGray\n101\tWhite\n")
    write_labels(labels / "sub-02/anat/sub-02_dseg.nii.gz", values=(100, 9))
    found = reasons(bids)
    assert [name for name, _ in found] == [
        "sub-01_ses-1_dseg.nii.gz",
        "sub-03_dseg.nii.gz",
        "participants.tsv",
        "sub-02_dseg.tsv",
        "sub-02_dseg.nii.gz",
    ]
    told = ("has no image", "does not tell which image", "has no row for 1 of 2 cases: sub-02", "names differ from those of", "not declared: 9")
    assert all(part in reason for part, (_, reason) in zip(told, found, strict=True))


def test_several_segmentations_of_an_image_are_all_named(bids):
    write_labels(bids / "derivatives/other/sub-02/anat/sub-02_seg-other_dseg.nii.gz", values=(100, 101))
    several = [name for name, reason in reasons(bids) if reason == "it is one of 2 segmentations of an image"]
    assert several == ["sub-02_dseg.nii.gz", "sub-02_seg-other_dseg.nii.gz"]


def test_channels_on_other_grids_are_found(nnunet):
    write_image(nnunet / "imagesTr" / "scan_2_0001.nii.gz", seed=1, spacing=(1.0, 1.0, 1.5))
    (problem,) = check(nnunet)
    assert problem.file.name == "scan_2_0001.nii.gz"
    assert "differs from that of scan_2_0000.nii.gz: 1 x 1 x 1.5 mm" in problem.reason


def test_labels_that_no_case_has_are_found(msd):
    told = json.loads((msd / "dataset.json").read_text())
    told["labels"]["3"] = "Middle"
    (msd / "dataset.json").write_text(json.dumps(told))
    (problem,) = check(msd)
    assert (problem.file, problem.reason) == (msd, "the label 3 (Middle) is declared and in no case")


def test_case_names_used_twice_are_found(table):
    table.write_text(table.read_text().replace("scan1", "scan0"))
    (problem,) = check(table)
    assert "'scan0' is used 2 times" in problem.reason


def test_one_image_of_one_patient_may_have_two_outlines(msd):
    write_image(msd / "imagesTr" / "case_01.nii.gz", seed=3)
    assert check(msd, patient="(case)") == []


def test_data_for_another_model_is_found(msd, table):
    (problem,) = check(msd, model(2))[-1:]
    assert "the model takes 2" in problem.reason or "expected 2" in problem.reason
    write_labels(table.parent / "files" / "1-labels.nii.gz", values=(1, 3))
    (problem,) = check(table, model(2))
    assert "not declared: 3; declared are 0 and 1, 2" in problem.reason


def test_labels_in_another_order_or_number_than_the_models_are_found(tmp_path):
    swapped = check(write_msd(tmp_path / "swapped", labels={"1": "back", "2": "front"}), model())
    assert [problem.reason for problem in swapped] == ["the labels back, front have other places among the labels than in the model"]
    more = check(write_msd(tmp_path / "more", labels={"1": "Front", "2": "Back", "3": "Middle"}), model())
    assert more[-1].reason == "it has 3 labels (Front, Back, Middle), the model 2"


def test_the_command_prints_all_and_says_it_by_its_exit_code(msd, capsys):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    options = parser.parse_args(["check", str(msd)])
    assert options.run(options) == 0
    assert capsys.readouterr().out == "MSD dataset, 4 cases of 4 patients: no problem found.\n"
    # An image in which there is nothing to outline may be meant so.
    write_labels(msd / "labelsTr" / "case_00.nii.gz", values=(0, 0))
    assert options.run(options) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Note: ") and "background only" in first and "no problem found" in last
    (msd / "imagesTr" / "case_02.nii.gz").unlink()
    assert options.run(options) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[-1] == "MSD dataset, 4 cases of 4 patients: 1 problem found."
