"""Fitting the predictor of Dice, on calibration cases as they are and spoilt on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from deepseg.uncertainty.quality import QualityPredictor

ACCEPTABLE = 0.8
"""Dice from which on a segment counts as good."""
_MEMBERS, _HIDDEN, _STEPS, _FOLDS = 8, 12, 600, 5
_RATE, _DECAY = 0.02, 2e-3
_NOISE = 0.3
"""Deviation of what is added to the figures at each step, in their own: the cases are few, and their figures must not be learnt by heart."""
_SURE = 0.95
"""Share of accepted segments that are good, and of rejected ones that are not, among cases the fit did not see."""


def fit_quality(figures: np.ndarray, true: np.ndarray, cases: np.ndarray, acceptable: float = ACCEPTABLE) -> QualityPredictor:
    """Fit on figures (R, N) of segments, their true Dice (R), and the number (R) of the case each is from.

    Errors and thresholds come from cross-validation over cases; the predictor itself from all of them.
    """
    unseen, folds = np.empty(len(true)), cases % _FOLDS
    for fold in np.unique(folds):
        unseen[folds == fold] = _fit_networks(figures[folds != fold], true[folds != fold], acceptable).predict(figures[folds == fold])
    predictor = _fit_networks(figures, true, acceptable)
    errors = np.abs(unseen - true)
    x = np.log(unseen.clip(0.005, 0.995) / (1 - unseen.clip(0.005, 0.995)))
    doubt = np.polyfit(x, np.log(errors + 0.003), 2)[::-1]
    predictor = replace(predictor, doubt=doubt)
    accept, reject = _thresholds(unseen, true, acceptable)
    return replace(predictor, errors=errors / predictor.expected_error(unseen), accept=accept, reject=reject)


def _fit_networks(figures: np.ndarray, true: np.ndarray, acceptable: float) -> QualityPredictor:
    """Networks from several seeds; absolute errors, so that the few that cannot be foretold count no more than they are off."""
    center, scale = figures.mean(0), figures.std(0) + 1e-6
    inputs = torch.from_numpy(((figures - center) / scale).clip(-6, 6)).float()
    target = torch.from_numpy(true).float()
    generator = torch.Generator().manual_seed(0)
    count = figures.shape[1]
    hidden = torch.randn((_MEMBERS, _HIDDEN, count), generator=generator) / count**0.5
    begin = torch.from_numpy(figures[:, 0]).float()[:, None]
    parameters = [hidden, torch.zeros(_MEMBERS, _HIDDEN), torch.zeros(_MEMBERS, _HIDDEN), torch.zeros(_MEMBERS)]
    for part in parameters:
        part.requires_grad_()
    optimizer = torch.optim.AdamW(parameters, _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    with torch.enable_grad():
        for _ in range(_STEPS):
            shaken = inputs + _NOISE * torch.randn(inputs.shape, generator=generator)
            inner = torch.tanh(torch.einsum("mhn,rn->rmh", parameters[0], shaken) + parameters[1])
            predicted = torch.sigmoid(begin + torch.einsum("mh,rmh->rm", parameters[2], inner) + parameters[3])
            loss = (predicted - target[:, None]).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    values = [part.detach().double().numpy() for part in parameters]
    return QualityPredictor(center, scale, *values, np.zeros(3), np.ones(1), None, None, acceptable)


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
