"""Whether a variant gives what the model gave when it was written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError
from deepseg.golden import golden_case
from deepseg.prediction import predict
from deepseg_train.variants.kinds import Kind


@dataclass(frozen=True)
class GoldenDifference:
    """Differences of probabilities from the model's golden file, 0..1: the mean over voxels and classes, and the largest."""

    mean: float
    largest: float


def golden_difference(model: ModelBundle, variant: ModelBundle, kind: Kind) -> GoldenDifference:
    """Run a variant on its model's golden phantom, on the processor.

    Raises:
        ModelError: the differences are larger than the kind of variant allows, or the model has no golden file.
    """
    volume, expected = golden_case(model)
    differences = np.abs(predict(volume, variant, precision="float32", device="cpu").probabilities - expected)
    found = GoldenDifference(float(differences.mean()), float(differences.max()))
    if not found.mean <= kind.golden_limit:
        raise ModelError(
            f"Stored or computed as {kind.name} it is not the same model: probabilities differ from the golden file of {model.spec.id} by "
            f"{found.mean:.2g} on average, allowed {kind.golden_limit:g}."
        )
    return found
