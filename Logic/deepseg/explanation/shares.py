"""Where attributions lie, case by case and over a cohort: in which input, how far from the segment's boundary, next to which label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deepseg.spec import ModelSpec
from deepseg.volume import where_any

BORDERS_MM = (-4.0, -2.0, 0.0, 2.0, 4.0, 8.0, 16.0)
"""Between shells around the boundary; negative: inside the segment."""
_DRAWS = 2000


@dataclass(frozen=True)
class Share:
    """How much of all attribution, positive or negative, lies in one place.

    Attributes:
        kind: 'input', 'distance' or 'label'.
        name: of the input, the shell in mm, or the label.
        mean: over the cases, 0..1.
        low, high: 95 % bootstrap interval over the cases; nan from a single case.
        density: mean over the cases of the share divided by the share of the voxels: 1 is as much as anywhere.
    """

    kind: str
    name: str
    mean: float
    low: float
    high: float
    density: float


CaseShares = dict[tuple[str, str], tuple[float, float]]


def shares_of(values: np.ndarray, labels: np.ndarray, asked: int, spacing_mm: tuple[float, float, float], spec: ModelSpec) -> CaseShares:
    """For one case, by (kind, name): the share of attribution and the share of the voxels.

    Args:
        values: attributions (C, I, J, K), one for each input.
        labels: what the model says (I, J, K).
        asked: value of the label asked about.
        spacing_mm: of the grid.
        spec: the model's.
    """
    strength = np.abs(values)
    every = strength.sum() or 1.0
    found = {("input", item.name): (float(part.sum() / every), 1 / len(strength)) for item, part in zip(spec.inputs, strength, strict=True)}
    everywhere = strength.sum(0)

    def add(kind: str, name: str, mask: np.ndarray) -> None:
        found[kind, name] = float(everywhere[mask].sum() / every), float(mask.mean())

    distance = _signed_distance(where_any(labels, (asked,), spec.overlapping), spacing_mm)
    for name, low, high in shells():
        add("distance", name, (distance >= low) & (distance < high))
    for label in spec.labels:
        add("label", label.name, where_any(labels, (label.value,), spec.overlapping))
    add("label", "background", labels == 0)
    return found


def shells() -> list[tuple[str, float, float]]:
    """Each shell's name and its borders in mm."""
    borders = (-np.inf, *BORDERS_MM, np.inf)
    names = [f"below {BORDERS_MM[0]:g}", *(f"{a:g} to {b:g}" for a, b in pairwise(BORDERS_MM)), f"from {BORDERS_MM[-1]:g}"]
    return [(f"{name} mm", float(a), float(b)) for name, (a, b) in zip(names, pairwise(borders), strict=True)]


def over_cohort(cases: Sequence[CaseShares]) -> list[Share]:
    """Means over cases with their bootstrap intervals."""
    draws = np.random.default_rng(0).integers(0, len(cases), (_DRAWS, len(cases)))
    result = []
    for kind, name in cases[0]:
        own, room = np.array([case[kind, name] for case in cases]).T
        low, high = np.percentile(own[draws].mean(1), [2.5, 97.5]) if len(cases) > 1 else (np.nan, np.nan)
        density = np.divide(own, room, out=np.full(len(own), np.nan), where=room > 0)
        mean = float(np.nanmean(density)) if (room > 0).any() else float("nan")
        result.append(Share(kind, name, float(own.mean()), float(low), float(high), mean))
    return result


def _signed_distance(mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Distance in mm to the boundary, negative inside."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(tuple(spacing_mm[::-1]))  # SimpleITK's axes come in reverse order
    return sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, False, False, True))
