"""All that is wrong with one case: its files alone, and with each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepseg.errors import VolumeError
from deepseg.geometry import Geometry
from deepseg.io import read_label_array
from deepseg.preprocessing import refuse_unfit
from deepseg.spec import ModelSpec
from deepseg.volume import Volume
from deepseg_train.data.cases import Case, read_channels
from deepseg_train.data.patch import times
from deepseg_train.data.problems import Problem


@dataclass(frozen=True)
class CheckedCase:
    """What was found in a case.

    Attributes:
        problems: all of them.
        digest: sha256 of the image's shape and voxels; None where it cannot be read.
        spacing_mm: of the image along R, A and S; None where it cannot be read.
        values: in the label file, without 0.
    """

    problems: tuple[Problem, ...]
    digest: str | None
    spacing_mm: tuple[float, float, float] | None
    values: frozenset[int]


def check_case(case: Case, channels: int, declared: Sequence[int], spec: ModelSpec | None) -> CheckedCase:
    """Read a case's files and find everything that is wrong with them.

    Args:
        case: the case.
        channels: how many the image must have.
        declared: values that labels may have beside 0; empty to allow any.
        spec: a model that the images must fit; None to check the case alone.
    """
    problems: list[Problem] = []
    volumes = [_read_image(path, problems) for path in case.images]
    present = [channel for volume in volumes for channel in volume or []]
    if all(volumes):
        _check_channels(case, present, channels, spec, problems)
    labels = _read_labels(case.label, problems)
    if labels is None:
        return _checked(problems, present if all(volumes) else [], frozenset())
    array, geometry = labels
    if present and not geometry.is_close(present[0].geometry):
        difference = grid_difference(geometry, present[0].geometry)
        problems.append(
            Problem(case.label, f"its grid differs from the image's: {difference}", "Resample the labels to the image (nearest neighbour).")
        )
    values = _check_values(case.label, array, declared, problems)
    return _checked(problems, present if all(volumes) else [], values)


def grid_difference(one: Geometry, other: Geometry) -> str:
    """In what two grids differ, in words: the first of shape, spacing, directions, place."""
    if one.shape != other.shape:
        return f"{times(one.shape)} voxels against {times(other.shape)}"
    if not np.allclose(one.spacing_mm, other.spacing_mm, rtol=1e-4, atol=1e-6):
        return f"{times(one.spacing_mm)} mm voxels against {times(other.spacing_mm)} mm"
    far = np.linalg.norm(one.corners_ras() - other.corners_ras(), axis=1)
    turned = "" if np.allclose(one.directions, other.directions, atol=1e-4) else "the axes point elsewhere, and "
    return f"{turned}corners lie up to {far.max():.3g} mm apart"


def _read_image(path: Path, problems: list[Problem]) -> list[Volume] | None:
    try:
        channels = read_channels(path)
    except VolumeError as error:
        problems.append(_unreadable(path, error))
        return None
    for channel in channels:
        if channel.array.min() == channel.array.max():
            reason = f"{channel.name} has the value {channel.array.flat[0]:g} in every voxel"
            problems.append(Problem(path, reason, "Export the image again, or leave the case out."))
    return channels


def _read_labels(path: Path, problems: list[Problem]) -> tuple[np.ndarray, Geometry] | None:
    try:
        return read_label_array(path)
    except VolumeError as error:
        problems.append(_unreadable(path, error))
        return None


def _unreadable(path: Path, error: VolumeError) -> Problem:
    """The reading error, whose last sentence says what to do."""
    if not path.exists():
        return Problem(path, "the file is missing", "Put it there, or take the case out of the dataset.")
    reason, _, advice = str(error).removesuffix(".").rpartition(". ")
    reason, advice = (reason, advice) if reason else (advice, "Mend the file, or leave the case out")
    return Problem(path, reason.removeprefix(f"{path} "), f"{advice}.")


def _check_channels(case: Case, present: list[Volume], channels: int, spec: ModelSpec | None, problems: list[Problem]) -> None:
    if len(present) != channels:
        reason = f"the case has {len(present)} channels, expected {channels}"
        problems.append(Problem(case.images[0], reason, "Give every case the same channels in the same order."))
    for path, channel in zip(_paths(case, present), present, strict=True):
        if not channel.geometry.is_close(present[0].geometry):
            difference = grid_difference(channel.geometry, present[0].geometry)
            reason = f"its grid differs from that of {present[0].name}: {difference}"
            problems.append(Problem(path, reason, "Register and resample the channels of a case to one grid."))
            return
    if spec is not None and len(present) == channels:
        try:
            refuse_unfit(case.read_image(), spec)
        except VolumeError as error:
            problems.append(_unreadable(case.images[0], error))


def _paths(case: Case, present: list[Volume]) -> list[Path]:
    """The file of each channel."""
    return list(case.images) if len(case.images) == len(present) else [case.images[0]] * len(present)


def _check_values(path: Path, array: np.ndarray, declared: Sequence[int], problems: list[Problem]) -> frozenset[int]:
    found = np.unique(array)
    if not np.isfinite(found).all():
        problems.append(Problem(path, "labels are NaN or infinite", "Replace them, for example by 0 for background."))
        found = found[np.isfinite(found)]
    odd = found[found != np.round(found)]
    if odd.size:
        some = ", ".join(f"{value:g}" for value in odd[:5])
        advice = "Labels are integers; resampled label maps need nearest neighbour."
        problems.append(Problem(path, f"{odd.size} label values are not whole numbers, such as {some}", advice))
    values = {int(value) for value in found[found == np.round(found)]} - {0}
    unknown = sorted(values - set(declared)) if declared else sorted(value for value in values if value < 0)
    if unknown:
        some = ", ".join(map(str, unknown[:10]))
        reason = (
            f"label values that are not declared: {some}; declared are 0 and {', '.join(map(str, declared))}" if declared else f"negative: {some}"
        )
        problems.append(Problem(path, reason, "Correct the file, or declare them."))
    if not values and not odd.size:
        problems.append(Problem(path, "it holds no label, background only", "Outline the case, unless there is nothing to outline in it.", True))
    return frozenset(values)


def _checked(problems: list[Problem], channels: list[Volume], values: frozenset[int]) -> CheckedCase:
    if not channels:
        return CheckedCase(tuple(problems), None, None, values)
    digest = hashlib.sha256()
    for channel in channels:
        digest.update(repr(channel.array.shape).encode())
        digest.update(np.ascontiguousarray(channel.array))
    geometry = channels[0].geometry
    return CheckedCase(tuple(problems), digest.hexdigest(), geometry.reoriented(geometry.orientation_to("RAS")).spacing_mm, values)
