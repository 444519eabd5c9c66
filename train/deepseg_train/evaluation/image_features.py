"""Vectors that describe images, to compare sets of them: what is seen of the image itself, or what a model's network makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from deepseg import api
from deepseg.uncertainty.deep_features import deepest_layer
from deepseg.uncertainty.estimate import assemble
from deepseg.uncertainty.facts import QUANTILES, ImageFacts
from deepseg_train.data.cases import Case, naming
from deepseg_train.errors import DatasetError

_ORIENTATION = "RAS"
_SIDES = ("right-left", "back-front", "down-up")


def image_features(cases: Sequence[Case]) -> tuple[np.ndarray, list[str]]:
    """Spacing, field of view and tilt; of each channel mean and deviation, the quantiles of its intensities in deviations, and its gradients.

    Returns:
        Float64 (cases, F), lengths and deviations as logarithms; and the names of the F figures.

    Raises:
        DatasetError: a case cannot be read, or has another number of channels than the first.
    """
    table, names = [], []
    for case in tqdm(cases, desc="reading images", unit="case"):
        with naming(case):
            volume = case.read_image()
        named = _figures(volume)
        if names and list(named) != names:
            raise DatasetError(f"{case.name}: the image has {len(volume.array)} channels, other than {cases[0].name}; compare like with like.")
        names = list(named)
        table.append(list(named.values()))
    return np.array(table), names


def model_features(cases: Sequence[Case], bundle: api.ModelBundle) -> tuple[np.ndarray, list[str]]:
    """Mean and deviation of the channels of the network's narrowest layer, where the model sees something (see `deepseg.uncertainty.deep_features`).

    Returns:
        Float64 (cases, F), and the names of the F figures.

    Raises:
        DatasetError: a case cannot be read or does not fit the model, or the network has no layer to listen to.
    """
    layer, table = deepest_layer(bundle.spec), []
    for case in tqdm(cases, desc="running the network", unit="case"):
        with naming(case):
            deep = assemble(case.read_image(), bundle, sampler="single-pass", deep_layer=layer).deep
        if deep is None:
            raise DatasetError(f"The network of {bundle.spec.id} has no layer to listen to; compare the images without --model.")
        table.append(deep)
    channels = len(table[0]) // 2
    return np.array(table), [f"{figure} of channel {n}" for figure in ("mean", "deviation") for n in range(channels)]


def _figures(volume: api.Volume) -> dict[str, float]:
    facts = ImageFacts.of(volume, _ORIENTATION)
    named = {f"spacing {side}": value for side, value in zip(_SIDES, np.log(facts.spacing_mm), strict=True)}
    named |= {f"field of view {side}": value for side, value in zip(_SIDES, np.log(facts.extent_mm), strict=True)}
    named["tilt"] = facts.tilt_degrees
    for n, channel in enumerate(volume.array):
        of = f" of channel {n}" if len(volume.array) > 1 else ""
        named[f"mean intensity{of}"] = float(channel.mean(dtype=np.float64))
        named[f"spread of intensities{of}"] = float(np.log(channel.std(dtype=np.float64) + 1e-6))
        named |= {f"quantile {q} %{of}": value for q, value in zip(QUANTILES, facts.intensities[n], strict=True)}
        gradient, second = np.log(facts.sharpness[n] + 1e-4)
        named |= {f"gradient{of}": gradient, f"second difference{of}": second}
    return {name: float(value) for name, value in named.items()}
