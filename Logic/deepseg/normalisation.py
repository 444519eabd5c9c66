"""How intensities of one input channel become the network's: one function a scheme, one registry line each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepseg.errors import ModelError
from deepseg.spec import InputSpec


def zscore(channel: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the region seen; for MR, whose scale carries no meaning.

    MONAI's `NormalizeIntensity`. A constant image becomes 0.
    """
    # float64 sums: MR intensities reach 10^6, where float32 sums over a head lose digits.
    mean, deviation = channel.mean(dtype=np.float64), channel.std(dtype=np.float64)
    # The mean of equal numbers is off by its last digit, so a constant image is told by its range.
    scale = deviation if channel.max() > channel.min() else np.inf
    return ((channel - mean) / scale).astype(np.float32)


def ct_window(channel: np.ndarray, low: float, high: float, mean: float, std: float) -> np.ndarray:
    """Clip HU to [low, high], then subtract `mean` and divide by `std` of the training data (nnU-Net's CT scheme)."""
    if not std > 0:
        raise ModelError(f"The model's CT window has a standard deviation of {std}; std must be greater than 0. The model file is damaged.")
    return ((np.clip(channel, low, high) - mean) / std).astype(np.float32)


NORMALISATIONS: dict[str, Callable[..., np.ndarray]] = {
    "zscore": zscore,
    "ct_window": ct_window,
}


def normalise(channel: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Apply a channel's scheme: float32 (I, J, K) to float32 (I, J, K).

    Raises:
        ModelError: the scheme is unknown or lacks a parameter.
    """
    if spec.scheme not in NORMALISATIONS:
        raise ModelError(f"The model asks for the intensity scheme '{spec.scheme}'; this DeepSeg has {', '.join(NORMALISATIONS)}. Update DeepSeg.")
    try:
        return NORMALISATIONS[spec.scheme](channel, **spec.parameters)
    except TypeError as error:
        raise ModelError(f"The model's parameters {spec.parameters} do not fit the intensity scheme '{spec.scheme}': {error}.") from error
