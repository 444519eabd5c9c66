"""What an input channel is, by the name that a dataset gives it, and how its intensities are normalised."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deepseg.spec import InputSpec, IntensityStep
from deepseg_train.data.fingerprint import Fingerprint

_MODALITIES = {
    "CT": ("ct", "cta", "cect", "ncct", "cbct"),
    "PT": ("pt", "pet", "suv", "fdg"),
    "US": ("us", "ultrasound", "sonography"),
    "MR": ("mr", "mri", "t1", "t1w", "t1gd", "t1ce", "t1c", "t1n", "t2", "t2w", "t2f", "t2star", "flair", "adc", "dwi", "dce", "pd", "pdw", "bold"),
}
_UNITS = {"CT": "HU"}

_CROPPED = 0.75
"""Where the box around what is not 0 is a smaller share of the images, the rest says nothing about intensities."""


def steps_text(steps: Sequence[IntensityStep]) -> str:
    """How intensities are normalised, for example 'zscore' or 'ct_window (low -57, high 164, mean 99, std 39)'; 'nothing' without steps."""
    told = []
    for step in steps:
        parameters = ", ".join(f"{key} {value:g}" for key, value in step.parameters.items())
        told.append(f"{step.scheme} ({parameters})" if parameters else step.scheme)
    return ", ".join(told) or "nothing"


def modality_of(name: str) -> str:
    """A channel's modality by the words of its name; 'other' where none is known."""
    words = re.findall(r"[a-z0-9]+", name.casefold())
    return next((modality for modality, known in _MODALITIES.items() if any(word in known for word in words)), "other")


def plan_inputs(fingerprint: Fingerprint) -> tuple[tuple[InputSpec, ...], list[str]]:
    """nnU-Net's rule (Isensee et al. 2021): CT has a unit, so that one window fits all; other intensities are normalised image by image.

    PET has no unit here: files other than DICOM do not tell whether they are SUV.

    Returns:
        An input for each channel, and a reason for each.
    """
    inputs, why = [], []
    for name, seen in zip(fingerprint.channel_names, fingerprint.intensities, strict=True):
        modality = modality_of(name)
        if modality == "CT":
            step = IntensityStep("ct_window", {"low": seen.low, "high": seen.high, "mean": seen.mean, "std": max(seen.std, 1e-8)})
            reason = (
                f"is in Hounsfield units: clipped to the percentiles 0.5 and 99.5 of what is labelled ({seen.low:.4g} to {seen.high:.4g}), then "
                f"brought to mean 0 and deviation 1 of all cases (by {seen.mean:.4g} and {seen.std:.4g})."
            )
        elif fingerprint.median_kept < _CROPPED:
            step = IntensityStep("zscore_foreground")
            reason = (
                "has no fixed unit: mean 0 and deviation 1 in each image, over what is not 0, because the box around that is "
                f"{100 * fingerprint.median_kept:.0f} % of the median image (less than {100 * _CROPPED:.0f} %)."
            )
        else:
            step, reason = IntensityStep("zscore"), "has no fixed unit: mean 0 and deviation 1 in each image."
        inputs.append(InputSpec(name, modality, _UNITS.get(modality, "a.u."), (step,)))
        why.append(f"Channel {name} {reason}")
    return tuple(inputs), why
