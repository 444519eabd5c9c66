"""A model's answers to cases whose truth is known, as they are and degraded on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from deepseg import api
from deepseg.metrics import dice
from deepseg.uncertainty.estimate import assemble
from deepseg.uncertainty.facts import Facts, facts_of
from deepseg.uncertainty.recalibration import Recalibration
from deepseg.volume import where_any
from deepseg_train.calibration.degradations import CROPS, DEGRADATIONS, cropped_target, degraded
from deepseg_train.data.cases import Case, naming


@dataclass(frozen=True)
class Sampling:
    """A sampler, and the layer that is listened to; 0 samples are all that there are."""

    sampler: str
    samples: int
    layer: str | None

    @property
    def title(self) -> str:
        return f"{self.sampler}, {self.samples or 'all'} samples"


@dataclass(frozen=True, eq=False)
class CalibrationAnswer:
    """A model's answer to one image.

    Attributes:
        array: label map (I, J, K).
        mean: mean probabilities (L, I, J, K), not recalibrated.
        reference: true labels (I, J, K).
        volume: the image.
        deep: of the network.
        samples: how many were drawn.
    """

    array: np.ndarray
    mean: np.ndarray
    reference: np.ndarray
    volume: api.Volume
    deep: np.ndarray | None
    samples: int

    @staticmethod
    def of(case: Case, bundle: api.ModelBundle, sampling: Sampling) -> CalibrationAnswer:
        """Run the model on a case as it is.

        Raises:
            DatasetError: it cannot be read, or is nothing for the model; the message names it.
        """
        with naming(case):
            return CalibrationAnswer.to(*case.read(bundle.spec), bundle, sampling)

    @staticmethod
    def to(volume: api.Volume, reference: api.LabelMap, bundle: api.ModelBundle, sampling: Sampling) -> CalibrationAnswer:
        """Run the model."""
        assembly = assemble(volume, bundle, sampler=sampling.sampler, samples=sampling.samples, deep_layer=sampling.layer)
        array, mean = assembly.answer()
        return CalibrationAnswer(array, mean, reference.array, volume, assembly.deep, assembly.tally.count)

    def recalibrated(self, recalibration: Recalibration | None, overlapping: bool) -> np.ndarray:
        """Probabilities (L, I, J, K), recalibrated where that is known."""
        return recalibration.apply(torch.from_numpy(self.mean), overlapping).numpy() if recalibration else self.mean

    def target(self, spec: api.ModelSpec) -> np.ndarray:
        """Which channels are true, bool (L, I, J, K)."""
        return channels_of(self.reference, spec)

    def facts(self, recalibration: Recalibration | None, spec: api.ModelSpec) -> Facts:
        """Figures of the run."""
        return facts_of(self.volume, self.array, self.recalibrated(recalibration, spec.overlapping), self.mean, self.deep, spec)

    def dice(self, spec: api.ModelSpec) -> dict[int, float]:
        """With the reference by label value; of labels that the reference has."""
        masks = {label.value: self.reference == label.value for label in spec.labels}
        return {value: dice(where_any(self.array, (value,), spec.overlapping), mask) for value, mask in masks.items() if mask.any()}


def channels_of(reference: np.ndarray, spec: api.ModelSpec) -> np.ndarray:
    """A label map of exclusive labels as the network's channels, bool (L, I, J, K)."""
    values = [label.value for label in spec.labels] if spec.overlapping else [0, *(label.value for label in spec.labels)]
    return np.stack([reference == value for value in values])


def degraded_copies(volume: api.Volume, reference: api.LabelMap, seed: int, draws: int | None) -> Iterator[tuple[str, api.Volume, api.LabelMap]]:
    """One case degraded in every way, one copy after the other, with what was done.

    Args:
        volume: the image as it is.
        reference: its true labels.
        seed: of the random numbers.
        draws: how often in each way, with severities between the mild and the strong one; None: once mildly, once strongly.
    """
    rng = np.random.default_rng(seed)

    def severities(ends: tuple[float, ...]) -> list[float]:
        return list(ends) if draws is None else rng.uniform(ends[0], ends[-1], draws).tolist()

    for name, (_, ends) in DEGRADATIONS.items():
        for severity in severities(ends):
            yield f"{name} {severity:g}", degraded(volume, name, severity, rng), reference
    if not reference.array.any():
        return  # there is no target to crop
    for share in severities(CROPS):
        yield (f"cropped target {share:g}", *cropped_target(volume, reference, share, rng))
