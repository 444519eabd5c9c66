"""How well probabilities are calibrated: predicted probability against observed frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
"""Of reliability curves, ECE and ACE."""
_SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted probability against observed frequency, in bins of equal mass (Nguyen and O'Connor 2015, arXiv:1508.05154).

    Attributes:
        predicted: mean probability of each bin.
        observed: share of its voxels that have the label.
        count: its voxels.
    """

    predicted: np.ndarray
    observed: np.ndarray
    count: np.ndarray

    @staticmethod
    def of(probabilities: np.ndarray, present: np.ndarray, bins: int = BINS, equal_mass: bool = True) -> Reliability:
        """Of one label's probabilities and its presence (bool), both of any one shape and at least `bins` voxels.

        `equal_mass` False: bins of equal width, the empty ones left out.
        """
        order = np.argsort(probabilities, axis=None, kind="stable")
        edges = np.linspace(0, 1, bins + 1)[1:-1]
        groups = np.array_split(order, bins if equal_mass else np.searchsorted(probabilities.ravel()[order], edges))
        groups = [group for group in groups if len(group)]
        predicted, observed = probabilities.ravel().astype(np.float64), present.ravel().astype(np.float64)
        return Reliability(
            np.array([predicted[group].mean() for group in groups]),
            np.array([observed[group].mean() for group in groups]),
            np.array([len(group) for group in groups]),
        )

    @property
    def expected_error(self) -> float:
        """The gap between predicted probability and observed frequency, averaged over voxels: ECE in bins of equal width (Guo et al. 2017,
        arXiv:1706.04599), ACE in bins of equal mass."""
        return float((np.abs(self.predicted - self.observed) * self.count).sum() / self.count.sum())


def brier_score(probabilities: np.ndarray, present: np.ndarray) -> float:
    """Mean squared difference between a label's probabilities and its presence (Brier 1950)."""
    return float(np.mean((probabilities.astype(np.float64) - present) ** 2))


def negative_log_likelihood(probabilities: np.ndarray, present: np.ndarray) -> float:
    """Mean of -ln of the probability given to what is there, in nats; probabilities are kept 1e-7 away from 0 and 1."""
    p = probabilities.astype(np.float64).clip(_SMALLEST, 1 - _SMALLEST)
    return float(-np.where(present, np.log(p), np.log1p(-p)).mean())


def boundary_band(present: np.ndarray, voxels: float = 3.0) -> np.ndarray:
    """Where a segment's boundary is at most so many voxels away: the part of an image in which calibration is hard. bool (I, J, K)."""
    import SimpleITK as sitk

    if not present.any() or present.all():
        return np.zeros(present.shape, bool)
    mask = sitk.GetImageFromArray(present.astype(np.uint8))
    # Distances to the nearest voxel of the other side, in voxels.
    to_inside, to_outside = (sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(side, False, False, False)) for side in (mask, 1 - mask))
    return np.where(present, to_outside, to_inside) <= voxels
