"""A dataset's cases, whatever layout it is kept in: which files belong to a patient, and what is in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from deepseg.errors import VolumeError
from deepseg.io import open_image, read_label_array, read_volume, reading
from deepseg.segmentation_file import SEGMENTATION_SUFFIX
from deepseg.sequences import read_sequence
from deepseg.spec import ModelSpec
from deepseg.volume import Label, LabelMap, Volume
from deepseg_train.data.problems import Problem
from deepseg_train.errors import DatasetError


@dataclass(frozen=True)
class Case:
    """One image with its reference labels.

    Attributes:
        name: unique in its dataset.
        patient: whose it is; several cases may be one patient's, who is in one part of a split only.
        images: a file (or DICOM folder) for each input channel, in the model's order; or one file that holds all channels.
        label: image file of integers.
        columns: what a table says of it (site, sex, age, ...), text by column; '' where it says nothing.
        values: values in the label file that are the model's labels 1, 2, ... in this order; empty where they count up from 1 already.
    """

    name: str
    patient: str
    images: tuple[Path, ...]
    label: Path
    columns: dict[str, str] = field(default_factory=dict, hash=False)
    values: tuple[int, ...] = ()

    def read_image(self) -> Volume:
        """Read all channels, (C, I, J, K).

        Raises:
            VolumeError: a file cannot be read, or the channels' grids differ.
        """
        channels = [channel for path in self.images for channel in read_channels(path)]
        first = channels[0]
        for other in channels[1:]:
            if not other.geometry.is_close(first.geometry):
                raise VolumeError(f"the grids of the channels '{first.name}' {first.geometry.shape} and '{other.name}' {other.geometry.shape} differ")
        if len(channels) == 1:
            return first
        units, modalities = (tuple(value for channel in channels for value in getattr(channel, key)) for key in ("units", "modalities"))
        return Volume(np.concatenate([channel.array for channel in channels]), first.geometry, units, self.name, modalities)

    def read(self, spec: ModelSpec) -> tuple[Volume, LabelMap]:
        """Read the image and its labels, which have the model's values; there may be none, as in images without a lesion.

        Raises:
            VolumeError: a file cannot be read, the grids differ, or the labels are not those of the model.
        """
        volume = self.read_image()
        if len(volume.array) != len(spec.inputs):
            raise VolumeError(f"the image has {len(volume.array)} channels, the model takes {len(spec.inputs)}")
        labels = self.read_labels(spec.labels)
        if not volume.geometry.is_close(labels.geometry):
            raise VolumeError(f"image grid {volume.geometry.shape} and label grid {labels.geometry.shape} differ in shape or place")
        return volume, labels

    def read_labels(self, labels: tuple[Label, ...], path: Path | None = None) -> LabelMap:
        """Read the case's label file with the model's values, or another file whose values mean the same.

        Args:
            labels: of the model, in the order of the dataset's.
            path: the other file, for example a prediction; may be a segmentation file of one layer, as DeepSeg writes it.

        Raises:
            VolumeError: the file cannot be read, or the labels are not those of the model.
        """
        path, stored = path or self.label, self.values or tuple(label.value for label in labels)
        if len(stored) != len(labels):
            raise VolumeError(f"the dataset has the label values {list(stored)}, the model {len(labels)} labels")
        _refuse_layers(path)
        array, geometry = read_label_array(path)
        values = np.unique(array)
        if not np.isin(values, [0, *stored]).all():
            raise VolumeError(
                f"{path} has the label values {', '.join(f'{v:g}' for v in values[:20])}; expected only {', '.join(map(str, [0, *stored]))}"
            )
        kind = np.uint8 if len(labels) < 256 else np.uint16
        found = np.zeros(array.shape, kind) if self.values else array.astype(kind)
        for label, value in zip(labels, self.values, strict=False):
            found[array == value] = label.value
        return LabelMap(found, geometry, labels)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the case."""
        return (*self.images, self.label)


@dataclass(frozen=True)
class Dataset:
    """Labelled cases and what their source says of them.

    Attributes:
        folder: where the files lie.
        format: key of `deepseg_train.data.formats.FORMATS`.
        name, description, licence: as the source tells them; '' where it does not.
        channel_names: of the input channels, in order.
        label_names: names by value as the files have it, without background, values rising; empty where the source does not name them.
        cases: in the order of the source.
        notes: what had to be assumed to read it, a sentence each.
        reference: whom to thank or cite, as the source tells it; '' where it does not.
        problems: what is wrong with the source itself, found before any image is read.
    """

    folder: Path
    format: str
    name: str
    description: str
    licence: str
    channel_names: tuple[str, ...]
    label_names: dict[int, str] = field(hash=False)
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()
    reference: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def about(self) -> str:
        """What the dataset says of itself: name, description and licence in one text."""
        return ". ".join(text.rstrip(".") for text in (self.name, self.description, self.licence) if text) or self.folder.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the cases have, in the order of the tables."""
        return tuple(dict.fromkeys(column for case in self.cases for column in case.columns))

    def with_patients(self, patient: str) -> Dataset:
        """The same with the cases' patients told by a column or by the cases' names.

        Args:
            patient: a column's name, or a regular expression with one group, which is searched in each case's name.

        Raises:
            DatasetError: it is neither, or says nothing of some cases.
        """
        if patient in self.columns:
            found = {case.name: case.columns.get(patient, "") for case in self.cases}
        else:
            pattern = self._pattern(patient)
            found = {case.name: match[1] or "" if (match := pattern.search(case.name)) else "" for case in self.cases}
        silent = [name for name, told in found.items() if not told]
        if silent:
            raise DatasetError(f"'{patient}' tells no patient for {len(silent)} of {len(self.cases)} cases: {', '.join(silent[:10])}.")
        return replace(self, cases=tuple(replace(case, patient=found[case.name]) for case in self.cases))

    def _pattern(self, patient: str) -> re.Pattern[str]:
        known = f"The columns are: {', '.join(self.columns)}." if self.columns else "There is no column."
        try:
            pattern = re.compile(patient)
        except re.error as error:
            raise DatasetError(f"'{patient}' is no column, and no regular expression either: {error}. {known}") from error
        if pattern.groups != 1:
            raise DatasetError(
                f"'{patient}' is no column, and as a regular expression it has {pattern.groups} groups; expected one, for example "
                f"'(patient\\d+)_scan'. {known}"
            )
        return pattern

    def refuse_incomplete(self) -> None:
        """Refuse what cannot be used at all.

        Raises:
            DatasetError: the source has problems, there is no case, files are missing, or two cases have one name; all are listed.
        """
        if self.problems:
            lines = "\n  ".join(map(str, self.problems))
            raise DatasetError(f"The dataset {self.folder} has problems:\n  {lines}")
        if not self.cases:
            raise DatasetError(f"The dataset {self.folder} has no labelled case.")
        missing = [str(path) for case in self.cases for path in case.files if not path.exists()]
        if missing:
            raise DatasetError(f"{len(missing)} files of the dataset {self.folder} are missing:\n  " + "\n  ".join(missing))
        twice = sorted(name for name, count in Counter(case.name for case in self.cases).items() if count > 1)
        if twice:
            raise DatasetError(f"{len(twice)} case names of the dataset {self.folder} are used more than once: {', '.join(twice[:10])}.")


def _refuse_layers(path: Path) -> None:
    """Raises VolumeError where a segmentation file has several layers, which hold segments that may overlap."""
    if not path.name.endswith(SEGMENTATION_SUFFIX) or not path.is_file():
        return
    with reading(path):
        layers = open_image(path).GetNumberOfComponents()
    if layers > 1:
        raise VolumeError(
            f"{path} has {layers} layers of segments, which may overlap; the labels of a dataset exclude each other. Write the segments into one "
            "layer, for example by exporting them to a label map in Slicer"
        )


def refuse_overlapping(spec: ModelSpec) -> None:
    """Refuse to compare with a dataset's labels, which exclude each other, answers that mean something else.

    Raises:
        DatasetError: the model's labels may overlap.
    """
    if spec.overlapping:
        raise DatasetError(
            f"The labels of {spec.id} may overlap ({', '.join(label.name for label in spec.labels)}), those of a dataset exclude each other: its "
            "answers cannot be compared with them."
        )


def refuse_problems(problems: Sequence[str], count: int) -> None:
    """Raises DatasetError with what is wrong with some of `count` cases, a line each; nothing where there is nothing wrong."""
    if problems:
        raise DatasetError(f"{len(problems)} of {count} cases have problems:\n  " + "\n  ".join(problems))


@contextmanager
def naming(case: Case) -> Iterator[None]:
    """Say which case it is that cannot be read or used.

    Raises:
        DatasetError: in place of VolumeError.
    """
    try:
        yield
    except VolumeError as error:
        raise DatasetError(f"{case.name}: {error}") from error


def read_channels(path: Path) -> list[Volume]:
    """The channels of a file of three or four dimensions, or a DICOM folder's one, as volumes of one channel.

    Raises:
        VolumeError: it cannot be read.
    """
    if path.is_dir() or not path.exists():
        return [read_volume(path)]
    frames = list(read_sequence(path))
    return frames if len(frames) > 1 else [replace(frames[0], name=path.name)]
