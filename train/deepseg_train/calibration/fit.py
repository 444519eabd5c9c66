"""Fitting recalibrations: each makes the truth at held-out voxels likeliest, by L-BFGS, from the same start: the same voxels give the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from deepseg.uncertainty.recalibration import LearnedMap, Recalibration, Temperature, as_logits
from deepseg_train.calibration.voxels import Voxels

HIDDEN = 16
_ITERATIONS, _DECAY = 150, 1e-4


def fit_temperature(voxels: Voxels, overlapping: bool) -> Temperature:
    """One temperature for all channels."""
    return _fit_temperatures(voxels, overlapping, 1)


def fit_label_temperatures(voxels: Voxels, overlapping: bool) -> Temperature:
    """One temperature for each channel."""
    return _fit_temperatures(voxels, overlapping, len(voxels.probabilities))


def fit_learned_map(voxels: Voxels, overlapping: bool) -> LearnedMap:
    """A `LearnedMap`, which begins as the identity; its weights are kept small by a penalty."""
    logits = as_logits(voxels.probabilities, overlapping)
    center = logits.mean(1)
    scale = logits.std(1).clamp_min(1e-3)
    count, generator = len(logits), torch.Generator().manual_seed(0)
    hidden = torch.randn((HIDDEN, count), generator=generator) / count**0.5
    parameters = [hidden, torch.zeros(HIDDEN), torch.zeros(count, HIDDEN), torch.zeros(count)]

    def fitted(values: Sequence[torch.Tensor]) -> LearnedMap:
        return LearnedMap(center, scale, *values)

    def loss() -> torch.Tensor:
        penalty = sum((part**2).sum() for part in parameters)
        return _negative_log_likelihood(fitted(parameters).logits(logits), voxels, overlapping) + _DECAY * _entropy_scale(voxels) * penalty

    _minimise(loss, parameters)
    return fitted([part.detach() for part in parameters])


METHODS: dict[str, Callable[[Voxels, bool], Recalibration]] = {
    "temperature": fit_temperature,
    "temperature per label": fit_label_temperatures,
    "learned map": fit_learned_map,
}


FOLDS = 5
"""Case n belongs to fold n modulo their number."""


@dataclass(frozen=True, eq=False)
class CrossFit:
    """One method, fitted once without each fold of the cases.

    Attributes:
        fits: by fold.
        score: mean negative log-likelihood, in nats, of the voxels of all cases, each by the fit that did not see its case.
    """

    fits: tuple[Recalibration, ...]
    score: float

    def without(self, case: int) -> Recalibration:
        """The fit that saw neither a case, by its number, nor the others of its fold."""
        return self.fits[case % len(self.fits)]


def cross_fit(method: str, cases: Sequence[Voxels], overlapping: bool) -> CrossFit:
    """Fit without each fold in turn; `method` is a key of `METHODS`."""
    folds = min(FOLDS, len(cases))
    fits, total, weight = [], 0.0, 0.0
    for fold in range(folds):
        rest = Voxels.together([case for n, case in enumerate(cases) if n % folds != fold])
        held = Voxels.together([case for n, case in enumerate(cases) if n % folds == fold])
        fits.append(METHODS[method](rest, overlapping))
        logits = as_logits(fits[-1].apply(held.probabilities, overlapping), overlapping)
        total += float(_negative_log_likelihood(logits, held, overlapping) * held.weights.sum())
        weight += float(held.weights.sum())
    return CrossFit(tuple(fits), total / weight)


def _fit_temperatures(voxels: Voxels, overlapping: bool, count: int) -> Temperature:
    logits, logarithms = as_logits(voxels.probabilities, overlapping), torch.zeros(count)
    _minimise(lambda: _negative_log_likelihood(logits / logarithms.exp()[:, None], voxels, overlapping), [logarithms])
    return Temperature(logarithms.detach().exp())


def _negative_log_likelihood(logits: torch.Tensor, voxels: Voxels, overlapping: bool) -> torch.Tensor:
    target, weights = voxels.target.to(logits), voxels.weights
    if overlapping:
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(0)
    else:
        each = -(torch.log_softmax(logits, 0) * target).sum(0)
    return (each * weights).sum() / weights.sum()


def _entropy_scale(voxels: Voxels) -> float:
    """Share of voxels in doubt: the loss is a mean over all of them, most of which cost nothing, and the penalty should weigh as much as in a
    mean over those in doubt."""
    doubtful = (torch.maximum(voxels.probabilities, 1 - voxels.probabilities) <= 0.999).any(0)
    return float(voxels.weights[doubtful].sum() / voxels.weights.sum())


def _minimise(loss: Callable[[], torch.Tensor], parameters: list[torch.Tensor]) -> None:
    for part in parameters:
        part.requires_grad_()
    optimizer = torch.optim.LBFGS(parameters, max_iter=_ITERATIONS, tolerance_grad=1e-9, tolerance_change=1e-10, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
