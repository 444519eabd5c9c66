"""Fitting the predictor of Dice, on calibration cases as they are and degraded on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from deepseg.spec import ModelSpec
from deepseg.uncertainty.facts import Facts
from deepseg.uncertainty.ood import Guard
from deepseg.uncertainty.quality import QualityPredictor, quality_figures, summarised
from deepseg_train.calibration.fit import FOLDS

ACCEPTABLE = 0.8
"""Dice from which on a segment counts as good."""
_COMPONENTS = 24
_MEMBERS, _HIDDEN, _STEPS = 8, 24, 1200
_RATE, _DECAY = 0.02, 2e-3
_NOISE = 0.5
"""Deviation of what is added to the figures at each step, in their own: the cases are few, and their figures must not be learnt by heart."""
_WEIGHT = 4.0
"""Of a held-out case against a training case."""
_SURE = 0.95
"""Share of accepted segments that are good, and of rejected ones that are not, among cases the fit did not see."""


Row = tuple[np.ndarray, float]
"""A segment's figures (N) and its true Dice."""


def quality_rows(facts: Facts, dice: dict[int, float], guard: Guard, spec: ModelSpec) -> list[Row]:
    """The segments of one image that are not empty.

    Args:
        facts: of the run.
        dice: true Dice by label value; of labels that the reference has.
        guard: the model's.
        spec: the model's.
    """
    figures = quality_figures(facts, guard, spec)
    return [(figures[value], true) for value, true in dice.items() if facts.segments[value].volume_ml > 0]


@dataclass(frozen=True, eq=False)
class Rows:
    """Segments of images, as they are and degraded.

    Attributes:
        figures: (R, N).
        true: (R) their true Dice.
        cases: (R) the number of the case each is from.
        deep: how many of the figures, the last ones, are the network's features.
    """

    figures: np.ndarray
    true: np.ndarray
    cases: np.ndarray
    deep: int

    @staticmethod
    def of(by_case: Sequence[Sequence[Row]], guard: Guard) -> Rows:
        """From the rows of each case."""
        rows = [(figures, true, case) for case, own in enumerate(by_case) for figures, true in own]
        figures, true, cases = (np.array(part) for part in zip(*rows, strict=True)) if rows else (np.empty(0),) * 3
        return Rows(figures, true, cases, len(guard.deep.mean) if guard.deep else 0)


def fit_quality(held: Rows, trained: Rows, acceptable: float = ACCEPTABLE) -> QualityPredictor:
    """Fit on held-out cases as they are and degraded, and on degraded ones of those that the model was trained on, which are more in number.

    Errors and thresholds come from cross-validation over the held-out cases, in the folds of `deepseg_train.calibration.fit.cross_fit`; the predictor
    itself from all of them.
    """
    figures, true, folds = held.figures, held.true, held.cases % FOLDS

    def fitted(kept: np.ndarray) -> QualityPredictor:
        if not len(trained.true):
            return _fit_networks(figures[kept], true[kept], np.zeros(kept.sum(), bool), held.deep, acceptable)
        seen = np.arange(kept.sum() + len(trained.true)) >= kept.sum()
        both = [np.concatenate(parts) for parts in ((figures[kept], trained.figures), (true[kept], trained.true))]
        return _fit_networks(*both, seen, held.deep, acceptable)

    unseen = np.empty(len(true))
    for fold in np.unique(folds):
        unseen[folds == fold] = fitted(folds != fold).predict(figures[folds == fold])
    predictor = fitted(np.ones(len(folds), bool))
    errors = np.abs(unseen - true)
    x = np.log(unseen.clip(0.005, 0.995) / (1 - unseen.clip(0.005, 0.995)))
    doubt = np.polyfit(x, np.log(errors + 0.003), 2)[::-1]
    predictor = replace(predictor, doubt=doubt)
    accept, reject = _thresholds(unseen, true, acceptable)
    return replace(predictor, errors=errors / predictor.expected_error(unseen), accept=accept, reject=reject)


def _fit_networks(figures: np.ndarray, true: np.ndarray, seen: np.ndarray, deep: int, acceptable: float) -> QualityPredictor:
    """Networks from several seeds; absolute errors, so that the few that cannot be predicted count no more than they are off.

    On images of training cases (`seen`, (R)) the model does better than on others: that is learnt as a figure of its own, which nobody else has.
    """
    components = _components(figures[:, figures.shape[1] - deep :])
    figures = summarised(figures, *components)
    center, scale = figures.mean(0), figures.std(0) + 1e-6
    inputs = torch.from_numpy(((figures - center) / scale).clip(-6, 6)).float()
    trained = torch.from_numpy(seen).float()[:, None, None]
    weight = torch.from_numpy(np.where(seen, 1.0, _WEIGHT)).float()[:, None]
    target = torch.from_numpy(true).float()
    generator = torch.Generator().manual_seed(0)
    count = figures.shape[1]
    hidden = torch.randn((_MEMBERS, _HIDDEN, count), generator=generator) / count**0.5
    begin = torch.from_numpy(figures[:, 0]).float()[:, None]
    parameters = [hidden, torch.zeros(_MEMBERS, _HIDDEN), torch.zeros(_MEMBERS, _HIDDEN), torch.zeros(_MEMBERS), torch.zeros(_MEMBERS, _HIDDEN)]
    for part in parameters:
        part.requires_grad_()
    optimizer = torch.optim.AdamW(parameters, _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    with torch.enable_grad():
        for _ in range(_STEPS):
            shaken = inputs + _NOISE * torch.randn(inputs.shape, generator=generator)
            inner = torch.tanh(torch.einsum("mhn,rn->rmh", parameters[0], shaken) + parameters[1] + trained * parameters[4])
            predicted = torch.sigmoid(begin + torch.einsum("mh,rmh->rm", parameters[2], inner) + parameters[3])
            loss = (weight * (predicted - target[:, None]).abs()).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    values = [part.detach().double().numpy() for part in parameters[:4]]
    return QualityPredictor(*components, center, scale, *values, np.zeros(3), np.ones(1), None, None, acceptable)


def _components(deep: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and deviations of the network's features (R, D), and their principal components."""
    center, scale = deep.mean(0), deep.std(0) + 1e-6
    return center, scale, np.linalg.svd((deep - center) / scale, full_matrices=False)[2][:_COMPONENTS] if deep.size else np.zeros((0, 0))


def _thresholds(predicted: np.ndarray, true: np.ndarray, acceptable: float) -> tuple[float | None, float | None]:
    """The lowest prediction from which on, and the highest below which, segments are what they should be often enough."""
    order = np.argsort(predicted)
    good = (true >= acceptable)[order]
    above = good[::-1].cumsum()[::-1] / np.arange(len(good), 0, -1)
    below = (~good).cumsum() / np.arange(1, len(good) + 1)
    accepted, rejected = np.flatnonzero(above >= _SURE), np.flatnonzero(below >= _SURE)
    accept = float(predicted[order[accepted[0]]]) if len(accepted) else None
    reject = float(predicted[order[rejected[-1]]]) if len(rejected) else None
    return accept, reject
