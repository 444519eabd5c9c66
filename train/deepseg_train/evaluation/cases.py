"""From cases and answers to rows of measures: a model's answers, or label files that something else has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from deepseg import api
from deepseg.errors import VolumeError
from deepseg.outputs import LABEL_SUFFIXES
from deepseg.segmentation_file import SEGMENTATION_SUFFIX
from deepseg_train.calibration.region_sums import BAND, RegionSums, region_sums
from deepseg_train.data.cases import Case, naming, refuse_overlapping
from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.measures import measured


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
            volume, reference = case.read(self.bundle.spec)
            prediction = api.segment(volume, self.bundle, mirror=self.mirror)
        return Answer(prediction.labels, reference, prediction.probabilities)


@dataclass(frozen=True, eq=False)
class FolderAnswers:
    """Label files in `folder`, named as the cases, for example what nnU-Net or `deepseg batch` writes."""

    folder: Path
    labels: tuple[api.Label, ...]
    how = "label files made elsewhere"

    def file_of(self, case: Case) -> Path | None:
        """None where the folder has none."""
        return next((path for suffix in LABEL_SUFFIXES if (path := self.folder / f"{case.name}{suffix}").is_file()), None)

    def refuse_missing(self, cases: Sequence[Case]) -> None:
        """Raises DatasetError where cases have no file; all are named."""
        missing = [case.name for case in cases if self.file_of(case) is None]
        if missing:
            raise DatasetError(
                f"{self.folder} lacks predictions for {len(missing)} of {len(cases)} cases: {', '.join(missing)}. Expected files named as the cases, "
                f"ending in {', '.join(LABEL_SUFFIXES)}."
            )

    def to(self, case: Case) -> Answer:
        self.refuse_missing([case])
        path = self.file_of(case)
        with naming(case):
            # DeepSeg's segmentation files have the model's values, other files those of the dataset.
            made = replace(case, values=()) if path.name.endswith(SEGMENTATION_SUFFIX) else case
            reference, predicted = case.read_labels(self.labels), made.read_labels(self.labels, path)
            if not reference.geometry.is_close(predicted.geometry):
                sizes = _sizes(predicted.geometry, reference.geometry)
                raise VolumeError(f"the grids of the prediction {path} and of the reference, {sizes}, differ in shape or place.")
        return Answer(predicted, reference)


def evaluate_cases(bundle: api.ModelBundle, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Segment each case and compare it with its reference: a row per case and label, see `rows_of`."""
    return rows_of(ModelAnswers(bundle), cases)


def rows_of(answers: Answers, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The rows of `answered`."""
    return answered(answers, cases)[0]


def answered(answers: Answers, cases: Sequence[Case]) -> tuple[list[dict[str, Any]], list[dict[str, dict[str, dict[str, RegionSums]]]]]:
    """What comes of all cases.

    Returns:
        A row per case and label: case, patient, label, `MEASURES` and `VOLUMES` of `deepseg_train.evaluation.measures`; and for each case, by label,
        what `region_sums` keeps of its probabilities around the true boundary, or nothing at all where there are no probabilities.

    Raises:
        DatasetError: a case or its answer cannot be read; the message names it.
    """
    rows, sums = [], []
    for case in tqdm(cases, desc="evaluating", unit="case"):
        answer, of_case = answers.to(case), {}
        for label in answers.labels:
            masks = (answer.predicted.mask(label), answer.reference.mask(label))
            figures = measured(*masks, answer.reference.geometry.spacing_mm, answer.probability(label))
            rows.append({"case": case.name, "patient": case.patient, "label": label.name, **figures})
            if answer.probabilities is not None:
                of_case[label.name] = region_sums({"none": answer.probability(label)}, masks[1], (BAND,))
        sums += [of_case] if of_case else []
    return rows, sums


def _sizes(*grids: api.Geometry) -> str:
    return " and ".join(" x ".join(map(str, grid.shape)) for grid in grids)
