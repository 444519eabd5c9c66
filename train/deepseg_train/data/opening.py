"""Datasets by their path: which layout it is, whose the cases are, what a table adds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deepseg_train.data.cases import Dataset
from deepseg_train.data.formats import FORMATS
from deepseg_train.data.tables import add_columns
from deepseg_train.errors import DatasetError


def open_dataset(path: Path, patient: str | None = None, table: Path | None = None, complete: bool = True) -> Dataset:
    """Open a dataset; its layout is told from what is there. No image is read.

    Args:
        path: a folder in the layout of the Medical Segmentation Decathlon, nnU-Net (raw, version 2) or BIDS with derivatives; or a CSV or TSV file.
        patient: whose a case is: a column, or a regular expression with one group, searched in each case's name.
            Left out: as the layout tells, else each case is a patient of its own.
        table: CSV or TSV with columns to add, keyed by a column 'name' (the case's) or 'participant_id' (the patient's, as the layout tells it).
        complete: refuse a source with problems, missing files and names used twice; else that is left to `check_dataset`.

    Raises:
        DatasetError: there is nothing there, the layout is none of these or lacks something, or files are missing.
    """
    if not path.exists():
        raise DatasetError(f"There is no file or folder {path}. Check the spelling.")
    opener = next((opened for known, opened in FORMATS.values() if known(path)), None)
    if opener is None:
        raise DatasetError(
            f"{path} is no dataset in a known layout. Expected dataset.json with 'training' (MSD) or 'channel_names' (nnU-Net, version 2), "
            "dataset_description.json and derivatives/*/sub-*/*/*_dseg.nii.gz (BIDS), or a CSV table with the columns 'image' and 'label'."
            + ("" if path.is_file() or (path / "dataset.json").is_file() else " It lacks dataset.json.")
        )
    dataset = opener(path)
    if table is not None:
        dataset = replace(dataset, cases=add_columns(dataset.cases, table))
    if patient is not None:
        dataset = dataset.with_patients(patient)
    values = tuple(dataset.label_names)
    if values and values != tuple(range(1, len(values) + 1)):
        dataset = replace(dataset, cases=tuple(replace(case, values=values) for case in dataset.cases))
    if complete:
        dataset.refuse_incomplete()
    return dataset
