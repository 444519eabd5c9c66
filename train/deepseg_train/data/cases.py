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
from deepseg.io import read_label_array, read_volume
from deepseg.sequences import read_sequence
from deepseg.spec import ModelSpec
from deepseg.volume import LabelMap, Volume
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
        array, geometry = read_label_array(self.label)
        if not volume.geometry.is_close(geometry):
            raise VolumeError(f"image grid {volume.geometry.shape} and label grid {geometry.shape} differ in shape or place")
        values = np.unique(array)
        own = list(self.values) or [label.value for label in spec.labels]
        if len(own) != len(spec.labels):
            raise VolumeError(f"the dataset has the label values {own}, the model {len(spec.labels)} labels")
        if not np.isin(values, [0, *own]).all():
            raise VolumeError(f"label values {values.tolist()}, expected only {[0, *own]}")
        kind = np.uint8 if len(own) < 256 else np.uint16
        labels = np.zeros(array.shape, kind) if self.values else array.astype(kind)
        for label, value in zip(spec.labels, self.values, strict=False):
            labels[array == value] = label.value
        return volume, LabelMap(labels, geometry, spec.labels)

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
            DatasetError: there is no case, files are missing, or two cases have one name; all are listed.
        """
        if not self.cases:
            raise DatasetError(f"The dataset {self.folder} has no labelled case.")
        missing = [str(path) for case in self.cases for path in case.files if not path.exists()]
        if missing:
            raise DatasetError(f"{len(missing)} files of the dataset {self.folder} are missing:\n  " + "\n  ".join(missing))
        twice = sorted(name for name, count in Counter(case.name for case in self.cases).items() if count > 1)
        if twice:
            raise DatasetError(f"{len(twice)} case names of the dataset {self.folder} are used more than once: {', '.join(twice[:10])}.")


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
