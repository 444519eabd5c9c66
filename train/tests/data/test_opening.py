"""Whose a case is, what a table adds, and what is refused before anything is read."""

import pytest

from deepseg.errors import VolumeError
from deepseg_train.data import open_dataset
from deepseg_train.errors import DatasetError

from .conftest import model, write_image, write_labels, write_msd


def test_patients_are_told_by_a_pattern(tmp_path):
    dataset = open_dataset(write_msd(tmp_path / "msd"), patient=r"case_(\d)\d")
    assert {case.patient for case in dataset.cases} == {"0"}


def test_patients_are_told_by_a_column(table):
    assert [case.patient for case in open_dataset(table, patient="site").cases] == ["A", "A", "B"]


@pytest.mark.parametrize(
    "patient, message",
    [
        ("case_", "0 groups; expected one"),
        (r"(c)(a)", "2 groups"),
        ("(", "no regular expression either"),
        (r"(case_0[01])", "tells no patient for 2 of 4 cases: case_02, case_03"),
    ],
)
def test_patterns_that_tell_no_patient_are_refused(msd, patient, message):
    with pytest.raises(DatasetError, match=message):
        open_dataset(msd, patient=patient)


def test_a_table_adds_columns_by_name(msd, tmp_path):
    (tmp_path / "more.csv").write_text("name,site,age\n" + "".join(f"case_0{n},S{n % 2},{50 + n}\n" for n in (3, 2, 1, 0)))
    dataset = open_dataset(msd, table=tmp_path / "more.csv", patient="site")
    assert dataset.columns == ("site", "age")
    assert [case.columns["age"] for case in dataset.cases] == ["50", "51", "52", "53"]
    assert [case.patient for case in dataset.cases] == ["S0", "S1", "S0", "S1"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("name,site\ncase_00,A\n", "no row for 3 of 4 cases: case_01"),
        ("scan,site\ncase_00,A\n", "expected the column name or participant_id"),
        ("name,site\ncase_00,A\ncase_00,B\n", "more than one row for case_00"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(msd, tmp_path, text, message):
    (tmp_path / "more.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_dataset(msd, table=tmp_path / "more.csv")


def test_a_folder_in_no_known_layout_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"lacks dataset\.json"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match="Check the spelling"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match=r"dataset\.json cannot be read"):
        open_dataset(tmp_path)


def test_missing_files_are_all_named(msd):
    (msd / "imagesTr" / "case_00.nii.gz").unlink()
    (msd / "labelsTr" / "case_02.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"2 files .* missing:(.|\n)*case_00(.|\n)*case_02"):
        open_dataset(msd)
    assert len(open_dataset(msd, complete=False).cases) == 4


def test_a_name_used_twice_is_refused(table):
    table.write_text(table.read_text().replace("scan1", "scan0"))
    with pytest.raises(DatasetError, match="more than once: scan0"):
        open_dataset(table)


def test_images_without_any_label_are_read(msd):
    """Without a lesion, for example."""
    write_labels(msd / "labelsTr" / "case_02.nii.gz", values=(0, 0))
    volume, labels = open_dataset(msd).cases[2].read(model())
    assert volume.array.shape == (1, *labels.array.shape) and not labels.array.any()


def test_channels_on_other_grids_and_other_numbers_of_channels_are_refused(table):
    case = open_dataset(table).cases[0]
    with pytest.raises(VolumeError, match="has 2 channels, the model takes 1"):
        case.read(model(1))
    write_image(case.images[1], seed=3, origin=(0.0, 0.0, 0.1))
    with pytest.raises(VolumeError, match=r"grids of the channels '0-t1.nii.gz' .* and '0-t2.nii.gz'"):
        case.read(model(2))
