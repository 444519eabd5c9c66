"""The layout of the Medical Segmentation Decathlon: dataset.json names pairs of an image, which may have several channels, and its labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepseg_train.data.cases import Case, Dataset
from deepseg_train.data.formats.description import DESCRIPTION, channels_of, read_description, text_of
from deepseg_train.errors import DatasetError


def is_msd(path: Path) -> bool:
    """Whether a folder's dataset.json lists pairs of files; one that names 'channel_names' is nnU-Net's."""
    return (path / DESCRIPTION).is_file() and "training" in (told := read_description(path, "MSD")) and "channel_names" not in told


def open_msd(folder: Path) -> Dataset:
    """The cases that dataset.json lists under 'training'; a case's name is its image file's without endings.

    Raises:
        DatasetError: there is no readable dataset.json, or it lacks what the layout asks for.
    """
    told, path = read_description(folder, "MSD"), folder / DESCRIPTION
    try:
        pairs = [(folder / pair["image"], folder / pair["label"]) for pair in told["training"]]
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{path} is not in MSD layout ('training' must list 'image' and 'label'): {error!r}") from error
    cases = [Case(name := image.name.split(".")[0], name, (image,), label) for image, label in pairs]
    channels = channels_of(told, "modality", path) if "modality" in told else ("image",)
    notes = () if "modality" in told else (f"{path} does not name its channels ('modality'); one is expected.",)
    return Dataset(
        folder,
        "msd",
        text_of(told, "name"),
        text_of(told, "description"),
        text_of(told, "licence", "license"),
        channels,
        _labels(told, path),
        tuple(cases),
        notes,
        text_of(told, "reference"),
    )


def _labels(told: dict[str, Any], path: Path) -> dict[int, str]:
    try:
        named = {int(value): str(name) for value, name in told.get("labels", {}).items()}
    except (AttributeError, ValueError) as error:
        raise DatasetError(
            f"{path}: 'labels' is {told['labels']!r}; expected names by value, for example {{'0': 'background', '1': 'liver'}}."
        ) from error
    return {value: name for value, name in sorted(named.items()) if value}
