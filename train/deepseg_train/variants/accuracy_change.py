"""How a variant changes a model's accuracy: its answers on held-out cases against those of the model it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from deepseg.bundle import ModelBundle
from deepseg.metrics import dice
from deepseg.prediction import predict
from deepseg.results import Prediction
from deepseg.volume import LabelMap, Volume
from deepseg_train.data.cases import Case, naming, refuse_overlapping
from deepseg_train.evaluation.statistics import Interval, mean_interval
from deepseg_train.evaluation.summary import summarise


@dataclass(frozen=True)
class RunSetup:
    """How a model is run: which networks, and the number type they compute in (key of `deepseg.fast_network.PRECISIONS`).

    Attributes:
        name: in tables.
        bundle: what runs.
        precision: of the arithmetic that PyTorch does; an ONNX file has its own.
    """

    name: str
    bundle: ModelBundle
    precision: str = "float32"


@dataclass(frozen=True)
class CaseAnswer:
    """One case, run in one setup.

    Attributes:
        case, patient: whose.
        dice: with the reference, by label name.
        largest: absolute difference of a probability from the model's, over voxels and classes; None where there are none (too large an image).
        relabelled: voxels whose label is not the model's, as a share of those that are no background in either.
    """

    case: str
    patient: str
    dice: dict[str, float]
    largest: float | None
    relabelled: float

    @property
    def mean_dice(self) -> float:
        """Over the labels."""
        return float(np.mean(list(self.dice.values())))


@dataclass(frozen=True)
class AccuracyChange:
    """Of a setup against the model's own answers, over all cases.

    Attributes:
        mean_dice: change of a case's mean Dice, setup minus model, with its 95 % bootstrap interval.
        worst: smallest (most negative) of these changes.
        largest: largest difference of a probability; None where no case has probabilities, because the images are too large.
        relabelled: mean over cases.
    """

    mean_dice: Interval
    worst: float
    largest: float | None
    relabelled: float


def answer_cases(model: RunSetup, others: Sequence[RunSetup], cases: Sequence[Case]) -> dict[str, list[CaseAnswer]]:
    """Segment each case in each setup and compare; the model's own answers come first.

    Raises:
        DatasetError: a case cannot be read; the message names it.
    """
    refuse_overlapping(model.bundle.spec)
    found: dict[str, list[CaseAnswer]] = {setup.name: [] for setup in (model, *others)}
    for case, volume, reference in _read(cases, model.bundle):
        expected = _answer(model, volume)
        for setup in (model, *others):
            answer = expected if setup is model else _answer(setup, volume)
            found[setup.name].append(_compared(case, answer, expected, reference))
    return found


def accuracy_change(answers: Sequence[CaseAnswer], expected: Sequence[CaseAnswer]) -> AccuracyChange:
    """Sum up one setup's answers against the model's, case by case in the same order."""
    changes = np.array([answer.mean_dice - other.mean_dice for answer, other in zip(answers, expected, strict=True)])
    largest = [answer.largest for answer in answers if answer.largest is not None]
    return AccuracyChange(
        mean_dice=mean_interval(changes, [answer.patient for answer in answers]),
        worst=float(changes.min()),
        largest=max(largest, default=None),
        relabelled=float(np.mean([answer.relabelled for answer in answers])),
    )


def metrics_of(answers: Sequence[CaseAnswer]) -> dict[str, object]:
    """Dice by label as a model file's `metrics` hold it."""
    rows = [
        {"case": answer.case, "patient": answer.patient, "label": label, "dice": value} for answer in answers for label, value in answer.dice.items()
    ]
    return summarise(rows)


def _read(cases: Sequence[Case], bundle: ModelBundle) -> Iterator[tuple[Case, Volume, LabelMap]]:
    for case in tqdm(cases, desc="comparing", unit="case"):
        with naming(case):
            read = case.read(bundle.spec)
        yield case, *read


def _answer(setup: RunSetup, volume: Volume) -> Prediction:
    # On one device, so that nothing differs but the variant.
    return predict(volume, setup.bundle, precision=setup.precision, device="cpu")


def _compared(case: Case, answer: Prediction, expected: Prediction, reference: LabelMap) -> CaseAnswer:
    labels = {label.name: dice(answer.labels.mask(label), reference.mask(label)) for label in reference.labels}
    a, b = answer.labels.array, expected.labels.array
    seen = int(((a != 0) | (b != 0)).sum())
    relabelled = int((a != b).sum()) / seen if seen else 0.0
    if answer.probabilities is None or expected.probabilities is None:
        return CaseAnswer(case.name, case.patient, labels, None, relabelled)
    largest = float(np.abs(answer.probabilities.astype(np.float32) - expected.probabilities.astype(np.float32)).max())
    return CaseAnswer(case.name, case.patient, labels, largest, relabelled)
