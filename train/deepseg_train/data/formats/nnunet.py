"""nnU-Net's raw datasets, version 2: dataset.json, imagesTr/NAME_0000.nii.gz for each channel, labelsTr/NAME.nii.gz."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deepseg_train.data.cases import Case, Dataset
from deepseg_train.data.formats.description import DESCRIPTION, channels_of, read_description, text_of
from deepseg_train.data.problems import Problem
from deepseg_train.errors import DatasetError

REQUIRED = ("channel_names", "labels", "file_ending")


def is_nnunet(path: Path) -> bool:
    """Whether a folder's dataset.json names channels as nnU-Net does."""
    return (path / DESCRIPTION).is_file() and "channel_names" in read_description(path, "nnU-Net")


def open_nnunet(folder: Path) -> Dataset:
    """The cases of imagesTr and labelsTr, or those that dataset.json lists under 'dataset'.

    A case's files are named as they must be, also where one is missing: what lacks is told by `Dataset.refuse_incomplete` and by the check.
    So is a number of cases that is not numTraining.

    Raises:
        DatasetError: dataset.json is missing or lacks a key; or labels are regions or hold an ignore label.
    """
    told, path = read_description(folder, "nnU-Net"), folder / DESCRIPTION
    lacking = [key for key in REQUIRED if key not in told]
    if lacking:
        raise DatasetError(f"{path} lacks {', '.join(lacking)}, which nnU-Net's layout (version 2) asks for.")
    channels = channels_of(told, "channel_names", path)
    cases = _listed(folder, told["dataset"], path) if "dataset" in told else _found(folder, len(channels), str(told["file_ending"]))
    number = told.get("numTraining", len(cases))
    reason = f"it announces numTraining {number}; there are {len(cases)} cases in {folder}"
    problems = () if number == len(cases) else (Problem(path, reason, "Correct one or the other."),)
    texts = (text_of(told, "name"), text_of(told, "description"), text_of(told, "licence", "license"))
    named, reference = _labels(told["labels"], path), text_of(told, "reference")
    return Dataset(folder, "nnunet", *texts, channels, named, tuple(cases), reference=reference, problems=problems)


def _found(folder: Path, channels: int, ending: str) -> list[Case]:
    images, labels = folder / "imagesTr", folder / "labelsTr"
    for part in (images, labels):
        if not part.is_dir():
            raise DatasetError(f"{folder} is not a folder in nnU-Net layout: it lacks {part.name}.")
    pattern = re.compile(rf"([^.].*)_\d{{4}}{re.escape(ending)}")
    names = {match[1] for path in images.iterdir() if (match := pattern.fullmatch(path.name))}
    names |= {path.name.removesuffix(ending) for path in labels.iterdir() if path.name.endswith(ending) and path.name[0] != "."}
    return [
        Case(name, name, tuple(images / f"{name}_{channel:04}{ending}" for channel in range(channels)), labels / f"{name}{ending}")
        for name in sorted(names)
    ]


def _listed(folder: Path, listed: Any, path: Path) -> list[Case]:
    try:
        return [Case(name, name, tuple(folder / image for image in of["images"]), folder / of["label"]) for name, of in sorted(listed.items())]
    except (AttributeError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: 'dataset' must give 'images' and 'label' for each case: {error!r}") from error


def _labels(named: Any, path: Path) -> dict[int, str]:
    if not isinstance(named, dict):
        raise DatasetError(f"{path}: 'labels' is {named!r}; expected values by name, for example {{'background': 0, 'liver': 1}}.")
    regions = [name for name, value in named.items() if isinstance(value, list)]
    if regions or "ignore" in named:
        what = f"regions of several values ({', '.join(regions)})" if regions else "a label 'ignore'"
        raise DatasetError(f"{path} has {what}, which cannot be trained on here. Give each value of the label files a name of its own.")
    try:
        return {value: name for value, name in sorted((int(value), str(name)) for name, value in named.items()) if value}
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: 'labels' is {named!r}; expected values by name, for example {{'background': 0, 'liver': 1}}.") from error
