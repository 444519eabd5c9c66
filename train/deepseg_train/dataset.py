"""A dataset in the layout of the Medical Segmentation Decathlon, checked before anything is trained on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepseg.errors import VolumeError
from deepseg.io import read_label_array, read_volume
from deepseg.spec import ModelSpec
from deepseg.volume import LabelMap, Volume
from deepseg_train.errors import DatasetError


@dataclass(frozen=True)
class Case:
    """One patient's image and reference labels; `name` is the image file's name without endings."""

    name: str
    image: Path
    label: Path

    def read(self, spec: ModelSpec) -> tuple[Volume, LabelMap]:
        """Read both files.

        Raises:
            VolumeError: a file cannot be read, the grids differ, or the labels are not those of the model.
        """
        volume = read_volume(self.image)
        array, geometry = read_label_array(self.label)
        if not volume.geometry.is_close(geometry):
            raise VolumeError(f"image grid {volume.geometry.shape} and label grid {geometry.shape} differ in shape or place")
        values = np.unique(array)
        allowed = [0, *(label.value for label in spec.labels)]
        if not np.isin(values, allowed).all():
            raise VolumeError(f"label values {values.tolist()}, expected only {allowed}")
        if values.tolist() == [0]:
            raise VolumeError("the label image is empty")
        return volume, LabelMap(array.astype(np.uint8), geometry, spec.labels)


def find_cases(folder: Path) -> list[Case]:
    """List the labelled cases that `dataset.json` names.

    Raises:
        DatasetError: there is no readable dataset.json, or files it names are missing.
    """
    description = folder / "dataset.json"
    if not description.is_file():
        raise DatasetError(f"{folder} is not a folder in MSD layout: it lacks dataset.json.")
    try:
        pairs = json.loads(description.read_text(encoding="utf-8"))["training"]
        cases = [Case(Path(p["image"]).name.split(".")[0], folder / p["image"], folder / p["label"]) for p in pairs]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{description} is not in MSD layout ('training' must list 'image' and 'label'): {error!r}") from error
    missing = [str(path) for case in cases for path in (case.image, case.label) if not path.is_file()]
    if missing:
        raise DatasetError(f"{len(missing)} files named in {description} are missing:\n  " + "\n  ".join(missing))
    return cases


def describe(folder: Path) -> str:
    """What a dataset says of itself in dataset.json: name, description and licence."""
    told = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    return ". ".join(str(told[key]).rstrip(".") for key in ("name", "description", "licence") if told.get(key)) or folder.name


def read_checked(cases: list[Case], spec: ModelSpec) -> list[tuple[Volume, LabelMap]]:
    """Read all cases; every problem is found before the first training step.

    Raises:
        DatasetError: lists each bad case with its reason.
    """
    read, problems = [], []
    for case in cases:
        try:
            read.append(case.read(spec))
        except VolumeError as error:
            problems.append(f"{case.name}: {error}")
    if problems:
        raise DatasetError(f"{len(problems)} of {len(cases)} cases have problems:\n  " + "\n  ".join(problems))
    return read
