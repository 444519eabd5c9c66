"""Images degraded on purpose, by a known amount: what a predictor of quality must have seen, and is judged on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from monai import transforms as mt

from deepseg.volume import LabelMap, Volume

Degradation = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Takes one channel, float32 (I, J, K), a severity and random numbers; gives the degraded channel."""


def _noise(image: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """White Gaussian noise; severity is its deviation in units of the image's own."""
    return image + severity * image.std() * rng.standard_normal(image.shape, np.float32)


def _blur(image: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian smoothing; severity is sigma in voxels."""
    return mt.GaussianSmooth(sigma=severity)(image[None])[0].numpy()


def _bias_field(image: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth multiplicative field, its logarithm a random polynomial of degree 3; severity is the largest magnitude of that logarithm."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape), indexing="ij")
    logarithm = np.polynomial.polynomial.polyval3d(*axes, rng.uniform(-1, 1, (4, 4, 4)) * (np.indices((4, 4, 4)).sum(0) <= 3))
    logarithm -= logarithm.mean()
    return ((image - image.min()) * np.exp(severity * logarithm / np.abs(logarithm).max()) + image.min()).astype(np.float32)


def _ghosts(image: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Ghosts of periodic motion along a random axis: every second to fourth line of k-space weakened, the centre kept; severity is by how much."""
    axis, period = int(rng.integers(3)), int(rng.integers(2, 5))
    spectrum = np.moveaxis(np.fft.fftshift(np.fft.fft(image, axis=axis), axis), axis, 0)
    lines, middle = np.arange(len(spectrum)), len(spectrum) // 2
    spectrum[(lines % period == 0) & (np.abs(lines - middle) > 1)] *= 1 - severity
    return np.fft.ifft(np.fft.ifftshift(np.moveaxis(spectrum, 0, axis), axis), axis=axis).real.astype(np.float32)


def _down_sampling(image: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Voxels so many times larger along every axis, and back by linear interpolation."""
    small = [max(round(n / severity), 2) for n in image.shape]
    interpolate = torch.nn.functional.interpolate
    coarse = interpolate(torch.from_numpy(image)[None, None], small, mode="area")
    return interpolate(coarse, image.shape, mode="trilinear", align_corners=False)[0, 0].numpy()


def _inversion(image: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Bright for dark; severity is the blend weight of the inverted image; below 0.5 contrast is reduced but not inverted."""
    return (1 - severity) * image + severity * (image.max() + image.min() - image)


DEGRADATIONS: dict[str, tuple[Degradation, tuple[float, ...]]] = {
    "noise": (_noise, (0.3, 0.8)),
    "blur": (_blur, (1.0, 2.0)),
    "bias field": (_bias_field, (0.4, 1.0)),
    "motion ghosts": (_ghosts, (0.5, 1.0)),
    "down-sampling": (_down_sampling, (2.0, 3.0)),
    "intensity inversion": (_inversion, (1.0,)),
}
"""Each with a mild and a strong severity; of inversion there is one."""

CROPS = (0.15, 0.35)
"""Shares of the labelled structure's length that 'cropped target' cuts away."""


def degraded(volume: Volume, name: str, severity: float, rng: np.random.Generator) -> Volume:
    """The volume degraded in every channel; `name` is a key of `DEGRADATIONS`."""
    change, _ = DEGRADATIONS[name]
    return replace(volume, array=np.stack([change(channel, severity, rng).astype(np.float32) for channel in volume.array]))


def cropped_target(volume: Volume, reference: LabelMap, share: float, rng: np.random.Generator) -> tuple[Volume, LabelMap]:
    """Both without the end of the image that holds so large a share of the structure's length, along its longest axis, at a random end."""
    places = np.argwhere(reference.array > 0)
    low, high = places.min(0), places.max(0) + 1
    axis = int((high - low).argmax())
    length, keep = int(high[axis] - low[axis]), [slice(None)] * 3
    at = round(share * length)
    keep[axis] = slice(int(low[axis]) + at, None) if rng.random() < 0.5 else slice(None, int(high[axis]) - at)
    start = tuple(part.indices(n)[0] for part, n in zip(keep, reference.array.shape, strict=True))
    array = reference.array[tuple(keep)]
    geometry = volume.geometry.cropped(start, array.shape)
    return replace(volume, array=volume.array[(slice(None), *keep)], geometry=geometry), replace(reference, array=array, geometry=geometry)
