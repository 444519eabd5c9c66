"""How well probabilities hold: errors of calibration, and the temperature that mends them (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

BINS = 15
_SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class Reliability:
    """What probabilities promise and what came true, in bins of equal mass (Nguyen and O'Connor 2015, arXiv:1508.05154).

    Attributes:
        promised: mean probability of each bin.
        observed: share of its voxels that have the label.
        count: its voxels.
    """

    promised: np.ndarray
    observed: np.ndarray
    count: np.ndarray

    @staticmethod
    def of(probabilities: np.ndarray, present: np.ndarray, bins: int = BINS) -> Reliability:
        """Of one label's probabilities and its presence (bool), both of any one shape and at least `bins` voxels."""
        order = np.argsort(probabilities, axis=None, kind="stable")
        groups = np.array_split(order, bins)
        promised, observed = probabilities.ravel().astype(np.float64), present.ravel().astype(np.float64)
        return Reliability(
            np.array([promised[group].mean() for group in groups]),
            np.array([observed[group].mean() for group in groups]),
            np.array([len(group) for group in groups]),
        )

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the gap between promise and observation, averaged over voxels. In bins of equal mass it is the adaptive one."""
        return float((np.abs(self.promised - self.observed) * self.count).sum() / self.count.sum())


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


def with_temperature(probabilities: torch.Tensor, temperatures: torch.Tensor, overlapping: bool) -> torch.Tensor:
    """Probabilities (L, ...) softened (above 1) or sharpened (below 1); `temperatures` holds one for all channels, or one for each.

    They work on the logarithm of the probabilities, so that means over samples can be mended as a single answer can.
    """
    temperatures = temperatures.to(probabilities).reshape(-1, *[1] * (probabilities.ndim - 1))
    if overlapping:
        return torch.sigmoid(torch.logit(probabilities, _SMALLEST) / temperatures)
    return torch.softmax(probabilities.clamp_min(_SMALLEST).log() / temperatures, 0)


def fit_temperature(probabilities: torch.Tensor, target: torch.Tensor, overlapping: bool, per_channel: bool = False) -> torch.Tensor:
    """The temperatures that make held-out voxels likeliest.

    Args:
        probabilities: (L, N) of the voxels to fit on.
        target: int64 (N), classes counted from 0 (background); or bool (L, N) where labels may overlap.
        overlapping: which of the two.
        per_channel: one temperature for each channel instead of one for all.

    Returns:
        float32 (1) or (L).
    """
    probabilities = probabilities.double()
    log_temperatures = torch.zeros(len(probabilities) if per_channel else 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperatures], max_iter=100, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        mended = with_temperature(probabilities, log_temperatures.exp(), overlapping)
        if overlapping:
            value = torch.nn.functional.binary_cross_entropy(mended, target.double())
        else:
            value = torch.nn.functional.nll_loss(mended.clamp_min(1e-300).log().T, target)
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return log_temperatures.detach().exp().float()
