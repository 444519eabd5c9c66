"""From cases and answers to rows of measures: a model's answers, or label files that something else has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from deepseg import api
from deepseg.errors import VolumeError
from deepseg.io import read_label_array
from deepseg_train.calibration.figures import BAND, Promises, promises_of
from deepseg_train.data.cases import Case, naming, refuse_overlapping
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.measures import measured

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


@dataclass(frozen=True, eq=False)
class Answer:
    """What was predicted for a case, and its reference, on one grid.

    Attributes:
        predicted, reference: labels.
        probabilities: float (L, I, J, K) of the model's channels; None where there are none.
    """

    predicted: api.LabelMap
    reference: api.LabelMap
    probabilities: np.ndarray | None = None

    def probability(self, label: api.Label) -> np.ndarray | None:
        """Of one label, (I, J, K)."""
        if self.probabilities is None:
            return None
        # Without overlap the first channel is the background's.
        return self.probabilities[label.value - self.predicted.overlapping]


class Answers(Protocol):
    """Whatever answers to cases."""

    @property
    def labels(self) -> tuple[api.Label, ...]:
        """What is answered."""
        ...

    @property
    def how(self) -> str:
        """How it is answered, in words."""
        ...

    def to(self, case: Case) -> Answer:
        """Raises DatasetError where a case or its answer cannot be read; the message names it."""
        ...


@dataclass(frozen=True, eq=False)
class ModelAnswers:
    """A model's, with probabilities, in float32 as `api.segment` gives them when it is asked for both.

    `mirror`: of mirrored images as well, averaged.

    Raises:
        DatasetError: its labels may overlap.
    """

    bundle: api.ModelBundle
    mirror: bool = False

    def __post_init__(self) -> None:
        refuse_overlapping(self.bundle.spec)

    @property
    def how(self) -> str:
        return f"whole images, each segmented {'as it is and mirrored, averaged' if self.mirror else 'once'}"

    @property
    def labels(self) -> tuple[api.Label, ...]:
        return self.bundle.spec.labels

    def to(self, case: Case) -> Answer:
        with naming(case):
            volume, reference = case.read_image(), read_labels(case.label, case, self.labels)
            if not volume.geometry.is_close(reference.geometry):
                raise VolumeError(f"the image's and the labels' grids {_sizes(volume.geometry, reference.geometry)} differ in shape or place.")
            prediction = api.segment(volume, self.bundle, mirror=self.mirror)
        return Answer(prediction.labels, reference, prediction.probabilities)


@dataclass(frozen=True, eq=False)
class FolderAnswers:
    """Label files in `folder`, named as the cases, for example what nnU-Net writes."""

    folder: Path
    labels: tuple[api.Label, ...]
    how = "label files made elsewhere"

    def file_of(self, case: Case) -> Path | None:
        """None where the folder has none."""
        return next((path for suffix in _SUFFIXES if (path := self.folder / f"{case.name}{suffix}").is_file()), None)

    def refuse_missing(self, cases: Sequence[Case]) -> None:
        """Raises DatasetError where cases have no file; all are named."""
        missing = [case.name for case in cases if self.file_of(case) is None]
        if missing:
            raise DatasetError(
                f"{self.folder} lacks predictions for {len(missing)} of {len(cases)} cases, expected as NAME{_SUFFIXES[0]}: {', '.join(missing)}."
            )

    def to(self, case: Case) -> Answer:
        path = self.file_of(case)
        if path is None:
            raise DatasetError(f"{case.name}: there is no prediction {self.folder / case.name}{_SUFFIXES[0]}.")
        with naming(case):
            reference, predicted = (read_labels(file, case, self.labels) for file in (case.label, path))
            if not reference.geometry.is_close(predicted.geometry):
                sizes = _sizes(predicted.geometry, reference.geometry)
                raise VolumeError(f"the grids of the prediction {path} and of the reference, {sizes}, differ in shape or place.")
        return Answer(predicted, reference)


def evaluate_cases(bundle: api.ModelBundle, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Segment each case and compare it with its reference: a row per case and label, see `rows_of`."""
    return rows_of(ModelAnswers(bundle), cases)


def evaluate_predictions(folder: Path, cases: Sequence[Case], labels: tuple[api.Label, ...]) -> list[dict[str, Any]]:
    """Compare label files that are named as the cases (`NAME.nii.gz`, ...) with the references: a row per case and label, see `rows_of`.

    Raises:
        DatasetError: files are missing (all are named), cannot be read, or lie on another grid.
    """
    answers = FolderAnswers(folder, labels)
    answers.refuse_missing(cases)
    return rows_of(answers, cases)


def rows_of(answers: Answers, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The rows of `answered`."""
    return answered(answers, cases)[0]


def answered(answers: Answers, cases: Sequence[Case]) -> tuple[list[dict[str, Any]], list[dict[str, dict[str, Promises]]]]:
    """What comes of all cases.

    Returns:
        A row per case and label: case, patient, label, `MEASURES` and `VOLUMES` of `deepseg_train.evaluation.measures`; and for each case, by label,
        what its probabilities promise around the true boundary, or nothing at all where there are no probabilities.

    Raises:
        DatasetError: a case or its answer cannot be read; the message names it.
    """
    rows, promises = [], []
    for case in tqdm(cases, desc="evaluating", unit="case"):
        answer, of_case = answers.to(case), {}
        for label in answers.labels:
            masks = (answer.predicted.mask(label), answer.reference.mask(label))
            figures = measured(*masks, answer.reference.geometry.spacing_mm, answer.probability(label))
            rows.append({"case": case.name, "patient": case.patient, "label": label.name, **figures})
            if answer.probabilities is not None:
                of_case[label.name] = promises_of({"none": answer.probability(label)}, masks[1], (BAND,))
        promises += [of_case] if of_case else []
    return rows, promises


def read_labels(path: Path, case: Case, labels: tuple[api.Label, ...]) -> api.LabelMap:
    """A label file of a case, with the values of `labels`; unlike for training, it may be empty.

    Raises:
        VolumeError: it cannot be read, or holds other values than the dataset's labels.
    """
    array, geometry = read_label_array(path)
    stored = case.values or tuple(label.value for label in labels)
    values = np.unique(array)
    if len(stored) != len(labels) or not np.isin(values, [0, *stored]).all():
        raise VolumeError(f"{path} has the label values {values[:20].tolist()}; expected 0 and, for {len(labels)} labels, {list(stored)}.")
    found = np.zeros(array.shape, np.uint8 if len(labels) < 256 else np.uint16)
    for label, value in zip(labels, stored, strict=True):
        found[array == value] = label.value
    return api.LabelMap(found, geometry, labels)


def _sizes(*grids: api.Geometry) -> str:
    return " and ".join(" x ".join(map(str, grid.shape)) for grid in grids)
