"""How nnU-Net's plans prepare an image, in DeepSeg's words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from deepseg.errors import ModelError
from deepseg.spec import InputSpec, IntensityStep, ResamplingSpec, WindowSpec

READERS = {"SimpleITKIO": "KJI", "NibabelIO": "KJI", "Tiff3DIO": "KJI", "NibabelIOWithReorient": "SAR", "SimpleITKIOWithReorient": "SAR"}
"""nnU-Net's readers of volumes and how the axes of their arrays lie: as stored, or turned to RAS; always with the first axis last."""

_MODALITIES = (
    ("CT", "HU", {"ct", "cta", "ctp", "cect", "ncct", "cbct"}),
    ("MR", "a.u.", {"mr", "mri", "t1", "t1w", "t1c", "t1ce", "t1gd", "t1n", "t2", "t2w", "t2f", "flair", "dwi", "adc", "dce", "pd", "swi"}),
    ("PT", "a.u.", {"pt", "pet", "suv"}),
    ("US", "a.u.", {"us", "ultrasound"}),
)
"""Modality, unit and the words in a channel's name that tell of it."""

_RESAMPLE, _KEEP = "resample_data_or_seg_to_shape", "no_resampling_hack"
_THICK = 3
"""nnU-Net's anisotropy threshold, which is DeepSeg's too."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        ModelError: it cannot be read or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Get the model again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} does not hold what nnU-Net writes there; get the model again.")
    return content


def configuration_of(plans: dict[str, Any], name: str) -> dict[str, Any]:
    """One configuration, with what it inherits from others.

    Raises:
        ModelError: there is none of that name, it needs what DeepSeg has not, or it is the second stage of a cascade.
    """
    known = plans.get("configurations") or {}
    content: dict[str, Any] = {}
    followed: list[str] = []
    heir = name
    while heir is not None:
        if heir not in known or heir in followed:
            raise ModelError(f"plans.json has no configuration '{heir}', which '{name}' needs; it has {', '.join(known) or 'none'}.")
        followed.append(heir)
        content = {**known[heir], **content}
        heir = known[heir].get("inherits_from")
    if stage := content.get("previous_stage"):
        raise ModelError(
            f"'{name}' is the second stage of a cascade: it takes the segmentation by '{stage}' as an input, which DeepSeg cannot give it. "
            f"Import '{stage}' or '3d_fullres' instead."
        )
    _refuse_others(content.get("preprocessor_name"), "DefaultPreprocessor", "preprocessor")
    _refuse_others(plans.get("label_manager"), "LabelManager", "label manager")
    return content


def _refuse_others(given: Any, ours: str, what: str) -> None:
    if given not in (None, ours):
        raise ModelError(f"plans.json asks for the {what} '{given}', which is not nnU-Net's own '{ours}'; the model cannot be imported.")


def orientation_of(plans: dict[str, Any]) -> str:
    """The model's axes: those of the reader's arrays, permuted as the plans say.

    Raises:
        ModelError: another reader, or no permutation.
    """
    reader, order = plans.get("image_reader_writer"), plans.get("transpose_forward")
    if reader not in READERS:
        raise ModelError(f"The model reads images with nnU-Net's '{reader}'; DeepSeg imports models that read volumes with {', '.join(READERS)}.")
    if not isinstance(order, list) or sorted(map(str, order)) != ["0", "1", "2"]:
        raise ModelError(f"plans.json must permute three axes with 'transpose_forward'; it has {order}.")
    return "".join(READERS[reader][axis] for axis in order)


def grid_of(configuration: dict[str, Any]) -> tuple[tuple[float | None, ...], ResamplingSpec, WindowSpec]:
    """Spacing, resampling and sliding window.

    Raises:
        ModelError: they are not those of three axes, or of two for slices, or a way of resampling that DeepSeg has not.
    """
    size, spacing = configuration.get("patch_size"), configuration.get("spacing")
    if not isinstance(size, list) or not isinstance(spacing, list) or len(size) != len(spacing) or len(size) not in (2, 3):
        raise ModelError(f"plans.json must give two or three voxels of patch and as many of spacing; it has {size} and {spacing}.")
    sliced = len(size) == 2
    window = WindowSpec(
        ((1,) if sliced else ()) + tuple(int(side) for side in size),
        overlap=0.5,
        steps="even",
        weight="nnunet",
        padding="zero",
        slice_context=0 if sliced else None,
    )
    names = [configuration.get(f"resampling_fn_{what}") for what in ("data", "probabilities")]
    if names == [_KEEP, _KEEP]:
        return (None, None, None), ResamplingSpec("extent", normalise_first=True), window
    if odd := [name for name in names if name != _RESAMPLE]:
        raise ModelError(f"The model resamples with nnU-Net's '{odd[0]}'; DeepSeg imports models that resample with '{_RESAMPLE}'.")
    return ((None,) if sliced else ()) + tuple(float(side) for side in spacing), _resampling(configuration), window


def _resampling(configuration: dict[str, Any]) -> ResamplingSpec:
    defaults = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": False, "separate_z_anisotropy_threshold": _THICK}
    there, back = ({**defaults, **(configuration.get(f"resampling_fn_{what}_kwargs") or {})} for what in ("data", "probabilities"))
    fits = (
        (there["order"] in (0, 1, 3), "order", there, "0, 1 or 3 for the image"),
        (back["order"] in (0, 1), "order", back, "0 or 1 for the probabilities"),
        *((way["order_z"] in (0, 1), "order_z", way, "0 or 1") for way in (there, back)),
        *((way["force_separate_z"] in (None, False), "force_separate_z", way, "null or false") for way in (there, back)),
        *((not way["is_seg"], "is_seg", way, "false") for way in (there, back)),
        *((way["separate_z_anisotropy_threshold"] == _THICK, "separate_z_anisotropy_threshold", way, str(_THICK)) for way in (there, back)),
        (there["force_separate_z"] is back["force_separate_z"], "force_separate_z", back, "the same for both ways"),
        (there["order_z"] == back["order_z"] or there["force_separate_z"] is False, "order_z", back, "the same for both ways"),
        (not (set(there) | set(back)) - set(defaults), "...", {"...": "more"}, f"{', '.join(defaults)} alone"),
    )
    for fit, key, way, expected in fits:
        if not fit:
            raise ModelError(f"plans.json resamples with {key}={way[key]}; DeepSeg imports models with {expected}.")
    slices = there["order_z"] if there["force_separate_z"] is None else None
    return ResamplingSpec("extent", there["order"], back["order"], slices, normalise_first=True)


def inputs_of(plans: dict[str, Any], configuration: dict[str, Any], dataset: dict[str, Any]) -> tuple[InputSpec, ...]:
    """The channels, what they are called, and how their intensities are normalised.

    Raises:
        ModelError: names, schemes and figures are not of as many channels, or a scheme is not nnU-Net's own.
    """
    named = dataset.get("channel_names", dataset.get("modality"))
    schemes, masked = configuration.get("normalization_schemes"), configuration.get("use_mask_for_norm")
    figures = plans.get("foreground_intensity_properties_per_channel", plans.get("foreground_intensity_properties_by_modality"))
    if not isinstance(named, dict) or not all(isinstance(given, list) and len(given) == len(named) for given in (schemes, masked)):
        raise ModelError(f"dataset.json names the channels {named}, plans.json normalises them by {schemes} and {masked}; the numbers must agree.")
    inputs = []
    for number, (key, scheme, mask) in enumerate(zip(sorted(named, key=_number), schemes, masked, strict=True)):
        modality, unit = _kind(str(named[key]))
        steps = _steps(scheme, bool(mask), (figures or {}).get(str(number)) or {})
        inputs.append(InputSpec(str(named[key]) or f"channel {key}", modality, unit, steps))
    return tuple(inputs)


def _number(key: str) -> int:
    return int(key) if key.isdecimal() else 0


def _kind(name: str) -> tuple[str, str]:
    """Modality and unit, as far as a channel's name tells them."""
    words = set(re.split(r"[^a-z0-9]+", name.casefold()))
    return next(((modality, unit) for modality, unit, telling in _MODALITIES if words & telling), ("other", "a.u."))


def _steps(scheme: str, masked: bool, figures: dict[str, Any]) -> tuple[IntensityStep, ...]:
    if scheme == "CTNormalization":
        try:
            low, high, mean, deviation = (float(figures[key]) for key in ("percentile_00_5", "percentile_99_5", "mean", "std"))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError("plans.json lacks the intensities of the training images, by which nnU-Net's CTNormalization goes.") from error
        return (IntensityStep("ct_window", {"low": low, "high": high, "mean": mean, "std": max(deviation, 1e-8)}),)
    if scheme == "ZScoreNormalization":
        return (IntensityStep("zscore_foreground" if masked else "zscore"),)
    if scheme == "NoNormalization":
        return ()
    if scheme == "RescaleTo01Normalization":
        return (IntensityStep("minmax", {"to_low": 0.0, "to_high": 1.0}),)
    if scheme == "RGBTo01Normalization":
        return (IntensityStep("scale_range", {"low": 0.0, "high": 255.0, "to_low": 0.0, "to_high": 1.0, "clip": False}),)
    raise ModelError(f"plans.json normalises intensities by '{scheme}', which is not one of nnU-Net's own schemes; the model cannot be imported.")
