"""How intensities of one input channel become the network's: one function a scheme, one registry line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from deepseg.errors import ModelError
from deepseg.spec import IntensityStep


def zscore(channel: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the region seen; for MR, whose scale carries no meaning.

    MONAI's `NormalizeIntensity`. A constant image becomes 0.
    """
    mean, deviation = _mean_and_deviation(channel)
    return ((channel - mean) / deviation).astype(np.float32)


def zscore_nonzero(channel: np.ndarray) -> np.ndarray:
    """As `zscore` over the voxels that are not 0, which stay 0: for MR without the skull (MONAI's `NormalizeIntensity(nonzero=True)`)."""
    return _zscore_within(channel, channel != 0)


def zscore_foreground(channel: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """As `zscore` over the image's foreground, 0 elsewhere (nnU-Net's `ZScoreNormalization` with a mask)."""
    return _zscore_within(channel, foreground)


def ct_window(channel: np.ndarray, low: float, high: float, mean: float, std: float) -> np.ndarray:
    """Clip HU to [low, high], then subtract `mean` and divide by `std` of the training data (nnU-Net's CT scheme)."""
    if not std > 0:
        raise ModelError(f"The model's CT window has a standard deviation of {std}; std must be greater than 0. The model file is damaged.")
    return ((np.clip(channel, low, high) - mean) / std).astype(np.float32)


def shift_scale(channel: np.ndarray, shift: float, scale: float) -> np.ndarray:
    """Subtract `shift` and divide by `scale` (MONAI's `NormalizeIntensity(subtrahend, divisor)`)."""
    return ((channel - shift) / (scale or 1.0)).astype(np.float32)


def scale_range(channel: np.ndarray, low: float, high: float, to_low: float, to_high: float, clip: bool) -> np.ndarray:
    """Map [low, high] linearly to [to_low, to_high], cut there where `clip` (MONAI's `ScaleIntensityRange`)."""
    if high == low:
        return (channel - low + to_low).astype(np.float32)
    scaled = (channel - low) / (high - low) * (to_high - to_low) + to_low
    return (np.clip(scaled, to_low, to_high) if clip else scaled).astype(np.float32)


def minmax(channel: np.ndarray, to_low: float, to_high: float) -> np.ndarray:
    """Map the image's own range to [to_low, to_high] (MONAI's `ScaleIntensity`, nnU-Net's `RescaleTo01Normalization`)."""
    low, high = float(channel.min()), float(channel.max())
    if low == high:
        return (channel * to_low).astype(np.float32)
    return ((channel - low) / (high - low) * (to_high - to_low) + to_low).astype(np.float32)


def percentiles(channel: np.ndarray, lower: float, upper: float, to_low: float, to_high: float, clip: bool) -> np.ndarray:
    """Map the range between two percentiles to [to_low, to_high]; robust where a few voxels are very bright (MONAI's scheme of that name)."""
    low, high = (float(value) for value in np.percentile(channel, (lower, upper)))
    return scale_range(channel, low, high, to_low, to_high, clip)


NORMALISATIONS: dict[str, Callable[..., np.ndarray]] = {
    "zscore": zscore,
    "zscore_nonzero": zscore_nonzero,
    "zscore_foreground": zscore_foreground,
    "ct_window": ct_window,
    "shift_scale": shift_scale,
    "scale_range": scale_range,
    "minmax": minmax,
    "percentiles": percentiles,
}

NEED_FOREGROUND = frozenset({"zscore_foreground"})
"""Schemes that look at the foreground: whatever is not 0 in every channel, with its holes."""


def normalise(channel: np.ndarray, steps: Sequence[IntensityStep], foreground: np.ndarray | None = None) -> np.ndarray:
    """Apply a channel's steps in turn: float32 (I, J, K) to float32 (I, J, K).

    Args:
        channel: the image.
        steps: what to do.
        foreground: bool (I, J, K), for schemes in `NEED_FOREGROUND`.

    Raises:
        ModelError: a scheme is unknown or lacks a parameter.
    """
    for step in steps:
        if step.scheme not in NORMALISATIONS:
            known = ", ".join(NORMALISATIONS)
            raise ModelError(f"The model asks for the intensity scheme '{step.scheme}'; this DeepSeg has {known}. Update DeepSeg.")
        extra = {"foreground": foreground} if step.scheme in NEED_FOREGROUND else {}
        try:
            channel = NORMALISATIONS[step.scheme](channel, **extra, **step.parameters)
        except TypeError as error:
            raise ModelError(f"The model's parameters {step.parameters} do not fit the intensity scheme '{step.scheme}': {error}.") from error
    return channel


def _mean_and_deviation(values: np.ndarray) -> tuple[float, float]:
    # float64 sums: MR intensities reach 10^6, where float32 sums over a head lose digits.
    mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    # The mean of equal numbers is off by its last digit, so a constant image is told by its range.
    return mean, deviation if values.max() > values.min() else np.inf


def _zscore_within(channel: np.ndarray, mask: np.ndarray) -> np.ndarray:
    result = np.zeros(channel.shape, np.float32)
    inside = channel[mask]
    if inside.size:
        mean, deviation = _mean_and_deviation(inside)
        result[mask] = (inside - mean) / deviation
    return result
