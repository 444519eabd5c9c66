"""What a variant loses: its answers on held-out cases against those of the model it was made from."""

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
class Way:
    """A way to have a model's answer: which networks, and the number type they compute in (key of `deepseg.fast_network.PRECISIONS`).

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
    """One case, one way.

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
class Loss:
    """Over all cases.

    Attributes:
        change: of a case's mean Dice against the model's, way minus model, with its 95 % bootstrap interval.
        worst: smallest (most negative) of these changes.
        largest: largest difference of a probability; None where no case has probabilities.
        relabelled: mean over cases.
    """

    change: Interval
    worst: float
    largest: float | None
    relabelled: float


def answer_cases(model: Way, ways: Sequence[Way], cases: Sequence[Case]) -> dict[str, list[CaseAnswer]]:
    """Segment each case in each way and compare; the model's own answers come first.

    Raises:
        DatasetError: a case cannot be read; the message names it.
    """
    refuse_overlapping(model.bundle.spec)
    found: dict[str, list[CaseAnswer]] = {way.name: [] for way in (model, *ways)}
    for case, volume, reference in _read(cases, model.bundle):
        expected = _answer(model, volume)
        for way in (model, *ways):
            answer = expected if way is model else _answer(way, volume)
            found[way.name].append(_compared(case, answer, expected, reference))
    return found


def loss_of(answers: Sequence[CaseAnswer], expected: Sequence[CaseAnswer]) -> Loss:
    """Sum up one way's answers against the model's, case by case in the same order."""
    changes = np.array([answer.mean_dice - other.mean_dice for answer, other in zip(answers, expected, strict=True)])
    largest = [answer.largest for answer in answers if answer.largest is not None]
    return Loss(
        change=mean_interval(changes, [answer.patient for answer in answers]),
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


def _answer(way: Way, volume: Volume) -> Prediction:
    # On one device, so that nothing differs but the variant.
    return predict(volume, way.bundle, precision=way.precision, device="cpu")


def _compared(case: Case, answer: Prediction, expected: Prediction, reference: LabelMap) -> CaseAnswer:
    labels = {label.name: dice(answer.labels.mask(label), reference.mask(label)) for label in reference.labels}
    a, b = answer.labels.array, expected.labels.array
    seen = int(((a != 0) | (b != 0)).sum())
    relabelled = int((a != b).sum()) / seen if seen else 0.0
    if answer.probabilities is None or expected.probabilities is None:
        return CaseAnswer(case.name, case.patient, labels, None, relabelled)
    largest = float(np.abs(answer.probabilities.astype(np.float32) - expected.probabilities.astype(np.float32)).max())
    return CaseAnswer(case.name, case.patient, labels, largest, relabelled)
