"""The worst cases, shown: slices through the place that is furthest off, with the reference's and the predicted outline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from tqdm import tqdm

from deepseg import api
from deepseg.pictures import AXIAL, CORONAL, SAGITTAL, Screen, slice_picture
from deepseg_train.evaluation.findings import Findings
from deepseg_train.evaluation.measures import MEASURES

SHOWN = 4
_PATIENCE_S = 2.0
REFERENCE = api.Label(1, "reference", (0.337, 0.706, 0.914))
PREDICTED = api.Label(2, "predicted", (0.902, 0.624, 0.0))
"""Sky blue and orange, which also those tell apart who see no green or no red (Okabe and Ito)."""


@dataclass(frozen=True)
class ShownCase:
    """A case to look at: what is told of it, and pictures with their captions (inline SVG)."""

    title: str
    told: str
    pictures: tuple[tuple[str, str], ...]


def worst_cases(found: Findings) -> list[ShownCase]:
    """The `SHOWN` cases whose worst label has the lowest Dice, each with that label; they are segmented once more.

    Raises:
        DatasetError: a case cannot be read any more.
    """
    cases = {case.name: case for case in found.cases}
    labels = {label.name: label for label in found.answers.labels}
    shown = []
    for row in tqdm(worst_rows(found.rows), desc="worst cases", unit="case", delay=_PATIENCE_S):
        case, label = cases[row["case"]], labels[row["label"]]
        answer = found.answers.to(case)
        masks = (answer.reference.mask(label), answer.predicted.mask(label))
        shown.append(_shown(row, case.read_image(), *masks))
    return shown


def worst_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The worst row of each case, worst first, the `SHOWN` worst of them."""
    worst: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["case"] not in worst or row["dice"] < worst[row["case"]]["dice"]:
            worst[row["case"]] = row
    return sorted(worst.values(), key=lambda row: row["dice"])[:SHOWN]


def worst_place(reference: np.ndarray, predicted: np.ndarray, spacing_mm: tuple[float, float, float]) -> tuple[tuple[int, int, int], float]:
    """The wrong voxel that is furthest from what it should belong to: the reference where it is too much, the prediction where it is missed.

    Args:
        reference, predicted: bool (I, J, K), at least one of them with voxels.
        spacing_mm: along those axes.

    Returns:
        The voxel, and the distance in mm: 0 where nothing is wrong, infinite where one of the two is empty; then it is the other one's middle.
    """
    if not (reference.any() and predicted.any()):
        return _middle(reference | predicted), math.inf
    wrong = reference ^ predicted
    if not wrong.any():
        return _middle(reference), 0.0
    distance = np.where(predicted, *(distance_transform_edt(~mask, spacing_mm) for mask in (reference, predicted)))
    distance[~wrong] = 0
    place = np.unravel_index(distance.argmax(), distance.shape)
    return tuple(int(at) for at in place), float(distance.max())


def _middle(mask: np.ndarray) -> tuple[int, int, int]:
    """The voxel of a mask that is nearest to its centre."""
    found = np.argwhere(mask)
    return tuple(found[((found - found.mean(0)) ** 2).sum(1).argmin()].tolist())


def _shown(row: dict[str, Any], volume: api.Volume, reference: np.ndarray, predicted: np.ndarray) -> ShownCase:
    both = (reference * 1 + predicted * 2).astype(np.uint8)
    screen = Screen.of(volume, api.LabelMap(both, volume.geometry, (REFERENCE, PREDICTED), overlapping=True))
    title = f"{row['case']}, {row['label']}"
    figures = ", ".join(f"{MEASURES[name].title} {row[name]:.{MEASURES[name].decimals}f}" for name in ("dice", "hd95_mm", "volume_error_ml"))
    if not both.any():
        return ShownCase(title, f"{figures}; neither has it", ())
    place, distance = worst_place(screen.where((1,)), screen.where((2,)), screen.geometry.spacing_mm)
    missed = "; missed altogether" if not predicted.any() else "; there is none" if not reference.any() else ""
    told = figures + (missed or (f"; furthest off by {distance:.1f} mm here" if distance else "; nothing is wrong"))
    pictures = []
    for plane in (AXIAL, CORONAL, SAGITTAL):
        index = place[plane.normal]
        caption = f"{plane.name.capitalize()}, {screen.position(plane, index)}"
        pictures.append((caption, slice_picture(screen, plane, index, screen.frame_around(plane, [1, 2]))))
    return ShownCase(title, told, tuple(pictures))
