"""Each layout gives the same nouns: cases with files, patients and columns, and what the source says of itself."""

import json

import nibabel
import numpy as np
import pytest

from deepseg_train.data import open_dataset
from deepseg_train.data.formats import FORMATS
from deepseg_train.errors import DatasetError

from .conftest import SHAPE, model, write_image, write_labels, write_msd, write_nnunet


@pytest.fixture(params=FORMATS)
def any_dataset(request):
    path = request.getfixturevalue("table" if request.param == "csv" else request.param)
    return request.param, open_dataset(path)


def test_a_layout_is_told_from_the_others(any_dataset):
    name, dataset = any_dataset
    assert dataset.format == name


def test_every_layout_gives_readable_cases_with_unique_names(any_dataset):
    _, dataset = any_dataset
    assert len(dataset.cases) == len({case.name for case in dataset.cases}) >= 3
    for case in dataset.cases:
        volume, labels = case.read(model(len(dataset.channel_names)))
        assert volume.array.shape == (len(dataset.channel_names), *SHAPE)
        assert np.unique(labels.array).tolist() == [0, 1, 2]


def test_msd_tells_names_labels_and_licence(tmp_path):
    dataset = open_dataset(write_msd(tmp_path / "msd", name="Balls", description="Two halves.", licence="CC0"))
    assert dataset.about == "Balls. Two halves. CC0"
    assert dataset.channel_names == ("MRI",)
    assert dataset.label_names == {1: "Front", 2: "Back"}
    assert [case.name for case in dataset.cases] == ["case_00", "case_01", "case_02", "case_03"]


def test_an_msd_image_of_four_dimensions_has_its_channels_in_order(tmp_path):
    folder = write_msd(tmp_path / "msd", 1, modality={"0": "FLAIR", "1": "T1w", "2": "t1gd"})
    channels = np.random.default_rng(0).normal(0, 1, (*SHAPE, 3)).astype(np.float32)
    # As a tool that is not ours writes it.
    nibabel.save(nibabel.Nifti1Image(channels, np.eye(4)), folder / "imagesTr" / "case_00.nii.gz")
    dataset = open_dataset(folder)
    volume = dataset.cases[0].read_image()
    assert dataset.channel_names == ("FLAIR", "T1w", "t1gd")
    np.testing.assert_array_equal(volume.array, np.moveaxis(channels, -1, 0))


def test_nnunet_has_a_file_for_each_channel(nnunet):
    dataset = open_dataset(nnunet)
    case = dataset.cases[1]
    assert (case.name, case.patient) == ("scan_1", "scan_1")
    assert [path.name for path in case.images] == ["scan_1_0000.nii.gz", "scan_1_0001.nii.gz"]
    assert dataset.channel_names == ("T1", "T2")
    assert dataset.label_names == {1: "Front", 2: "Back"}


def test_nnunet_may_list_its_files(tmp_path):
    folder = write_nnunet(tmp_path / "nnunet", 2)
    told = json.loads((folder / "dataset.json").read_text())
    told |= {
        "numTraining": 1,
        "dataset": {"b": {"images": [f"imagesTr/scan_1_{n:04}.nii.gz" for n in range(2)], "label": "labelsTr/scan_1.nii.gz"}},
    }
    (folder / "dataset.json").write_text(json.dumps(told))
    (case,) = open_dataset(folder).cases
    assert case.name == "b" and case.label == folder / "labelsTr/scan_1.nii.gz"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"labels": {"background": 0, "whole": [1, 2]}}, "regions of several values .whole."),
        ({"labels": {"background": 0, "a": 1, "ignore": 2}}, "a label 'ignore'"),
        ({"numTraining": 7}, "announces numTraining 7; there are 3 cases"),
        ({"channel_names": {"0": "T1", "2": "T2"}}, "'channel_names' is"),
    ],
)
def test_what_nnunet_must_not_say_is_refused(tmp_path, change, message):
    with pytest.raises(DatasetError, match=message):
        open_dataset(write_nnunet(tmp_path / "nnunet", **change))


def test_nnunet_without_a_file_ending_is_refused(nnunet):
    told = json.loads((nnunet / "dataset.json").read_text())
    del told["file_ending"]
    (nnunet / "dataset.json").write_text(json.dumps(told))
    with pytest.raises(DatasetError, match="lacks file_ending"):
        open_dataset(nnunet)


def test_bids_finds_sessions_runs_and_participants(bids):
    dataset = open_dataset(bids)
    assert [(case.name, case.patient) for case in dataset.cases] == [
        ("sub-01_ses-1", "sub-01"),
        ("sub-01_ses-2", "sub-01"),
        ("sub-02", "sub-02"),
        ("sub-03_run-2", "sub-03"),
    ]
    # The run whose number the segmentation repeats, not the other one.
    assert dataset.cases[3].images == (bids / "sub-03/anat/sub-03_run-2_T1w.nii.gz",)
    assert dataset.cases[2].columns == {"sex": "", "site": "B"}
    assert dataset.about == "Brains. CC0"
    assert dataset.notes == ("Channels are T1w, which every segmented session has; found FLAIR for 1 of 4, T1w for 4 of 4.",)


def test_bids_labels_are_renumbered_for_the_model(bids):
    dataset = open_dataset(bids)
    assert dataset.label_names == {100: "Gray Matter", 101: "White Matter"}
    _, labels = dataset.cases[0].read(model())
    assert labels.array[1, 2, 2] == 1 and labels.array[4, 4, 5] == 2 and labels.array[0, 0, 0] == 0


def test_bids_with_two_segmentations_of_an_image_asks_for_one_pipeline(bids):
    write_labels(bids / "derivatives/other/sub-02/anat/sub-02_seg-other_dseg.nii.gz", values=(100, 101))
    with pytest.raises(DatasetError, match=r"2 segmentations(.|\n)*Name one pipeline's folder"):
        open_dataset(bids)
    assert len(open_dataset(bids / "derivatives" / "manual").cases) == 4


def test_bids_segmentations_in_another_space_have_their_image_beside_them(bids):
    folder = bids / "derivatives" / "atlas" / "sub-02" / "anat"
    write_labels(folder / "sub-02_space-MNI_dseg.nii.gz")
    image = write_image(folder / "sub-02_space-MNI_T1w.nii.gz", seed=5)
    (case,) = open_dataset(bids / "derivatives" / "atlas").cases
    assert case.images == (image,)


def test_bids_segmentations_without_an_image_are_all_named(bids):
    (bids / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz").unlink()
    for run in (1, 2):
        (bids / f"sub-03/anat/sub-03_run-{run}_T1w.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"sub-01_ses-1_dseg\.nii\.gz: the segmentation has no image(.|\n)*sub-03_run-2_dseg"):
        open_dataset(bids)


def test_bids_with_runs_that_the_segmentation_does_not_tell_apart_is_refused(bids):
    labels = bids / "derivatives/manual/sub-03/anat"
    (labels / "sub-03_run-2_dseg.nii.gz").rename(labels / "sub-03_dseg.nii.gz")
    with pytest.raises(DatasetError, match="does not tell which image it belongs to"):
        open_dataset(bids)


def test_a_table_gives_patients_channels_and_columns(table):
    dataset = open_dataset(table)
    assert [(case.name, case.patient, case.columns) for case in dataset.cases] == [
        ("scan0", "p1", {"site": "A"}),
        ("scan1", "p1", {"site": "A"}),
        ("scan2", "p2", {"site": "B"}),
    ]
    assert dataset.channel_names == ("image_0", "image_1")
    assert dataset.label_names == {}


@pytest.mark.parametrize(
    "text, message",
    [
        ("image,site\na,b\n", "expected 'image'"),
        ("image_0,image_2,label\na,b,c\n", "without a gap"),
        ("image,label\na,\n", "row 2 has nothing in the column label"),
        ("image,label\na\nb,c\nd,e,f\n", "has 2 columns .image, label., but row 2 has 1 cells, row 4 has 3 cells"),
        ("image,image,label\na,b,c\n", "unnamed or duplicate columns: image"),
        ("image,label\n", "no row below"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, message):
    (tmp_path / "cases.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path / "cases.csv")


def test_tables_of_tabs_or_semicolons_made_by_a_spreadsheet_are_read(tmp_path):
    write_image(tmp_path / "a.nii.gz")
    write_labels(tmp_path / "a-label.nii.gz")
    for name, between in (("cases.tsv", "\t"), ("cases.csv", ";")):
        text = '\ufeffimage|label|age\na.nii.gz|a-label.nii.gz|"61,5"\n\n'.replace("|", between)
        (tmp_path / name).write_text(text, encoding="utf-8")
        (case,) = open_dataset(tmp_path / name).cases
        assert (case.name, case.columns) == ("a", {"age": "61,5"})
