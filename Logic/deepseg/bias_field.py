"""N4 correction of an MR image's bias field (Tustison et al. 2010), through SimpleITK."""

from __future__ import annotations

import numpy as np

from deepseg.errors import VolumeError
from deepseg.geometry import reverse_axes
from deepseg.progress import Progress, ProgressCallback
from deepseg.volume import Volume

_WORKING_MM = 6.0
"""Voxel size that the field is estimated at; it changes over centimetres."""
_FEWEST_VOXELS = 16
_LEVELS, _ITERATIONS = 3, 30


def correct_bias_field(volume: Volume, progress: ProgressCallback | None = None) -> Volume:
    """Divide each channel by its slowly changing brightness, estimated on a shrunken copy within the foreground by Otsu's threshold.

    Args:
        volume: MR channels, any unit but HU and SUV; voxels of 0 or less are background.
        progress: called before each channel; raising `Cancelled` in it stops the correction there.

    Returns:
        The volume with the same grid and names; a channel's mean within the foreground is kept.

    Raises:
        VolumeError: a channel is not MR, or holds nothing above 0.
        Cancelled: `progress` raised it.
    """
    for unit, modality in zip(volume.units, volume.modalities, strict=True):
        if unit != "a.u." or modality not in ("", "MR"):
            raise VolumeError(f"'{volume.name}' is {modality or 'in ' + unit}; a bias field is corrected in MR images only. Leave N4 out for it.")
    corrected = np.empty_like(volume.array)
    for n, channel in enumerate(volume.array):
        if progress:
            progress(Progress(n / len(volume.array), "correcting the bias field", None))
        corrected[n] = _corrected(channel, volume)
    return Volume(corrected, volume.geometry, volume.units, volume.name, volume.modalities)


def _corrected(channel: np.ndarray, volume: Volume) -> np.ndarray:
    import SimpleITK as sitk

    if channel.max() <= 0 or channel.min() == channel.max():
        raise VolumeError(f"'{volume.name}' holds no signal above 0, so it has no bias field. Leave N4 out, or choose another image.")
    image = sitk.GetImageFromArray(np.ascontiguousarray(reverse_axes(channel.clip(min=0))))
    image.SetSpacing(volume.geometry.spacing_mm)
    small = sitk.BinShrink(image, [_factor(n, side) for n, side in zip(volume.geometry.shape, volume.geometry.spacing_mm, strict=True)])
    mask = sitk.OtsuThreshold(small, 0, 1, 200)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([_ITERATIONS] * _LEVELS)
    try:
        n4.Execute(small, mask)
    except RuntimeError as error:
        raise VolumeError(f"N4 could not estimate the bias field of '{volume.name}'. Leave it out for this image.") from error
    result = channel / np.exp(reverse_axes(sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image))))
    foreground = channel > sitk.GetArrayViewFromImage(small)[sitk.GetArrayViewFromImage(mask) == 1].min()
    if foreground.any() and (mean := float(result[foreground].mean())) > 0:
        result *= float(channel[foreground].mean()) / mean
    return result.astype(np.float32)


def _factor(count: int, side_mm: float) -> int:
    """How much an axis can be shrunken: to about the working size, and not below a few voxels."""
    return max(min(round(_WORKING_MM / side_mm), count // _FEWEST_VOXELS), 1)
