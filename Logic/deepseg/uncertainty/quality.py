"""How good a segment probably is: Dice with a reference that nobody has drawn yet, predicted from figures of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deepseg.spec import ModelSpec
from deepseg.uncertainty.conformal import conformal_quantile
from deepseg.uncertainty.facts import Facts
from deepseg.uncertainty.ood import Guard, figures_of

_FURTHEST = 6.0
"""Figures further off than so many deviations count as so many: nothing is known out there."""


@dataclass(frozen=True, eq=False)
class QualityPredictor:
    """Small networks, averaged, on figures of a segment and its run; fitted on calibration cases as they are and degraded on purpose.

    Attributes:
        deep_center, deep_scale: (D) of the network's features, which come last among the figures; empty where it tells none.
        components: (K, D) their principal components, the figures that the networks see in their place.
        center, scale: (N) of the figures then.
        hidden, hidden_bias: (M, H, N) and (M, H).
        output, output_bias: (M, H) and (M).
        doubt: (3) coefficients of the logarithm of the error to expect, by powers of the logit of the predicted Dice.
        errors: |predicted - true| of cases as they are and degraded that the fit did not see, divided by the error to expect.
        accept: predicted Dice from which on a segment may be accepted; None where no threshold could be set.
        reject: predicted Dice below which it should be rejected; None likewise.
        acceptable: true Dice that both are about.
    """

    deep_center: np.ndarray
    deep_scale: np.ndarray
    components: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray
    doubt: np.ndarray
    errors: np.ndarray
    accept: float | None
    reject: float | None
    acceptable: float

    def predict(self, figures: np.ndarray) -> np.ndarray:
        """Dice expected of figures (..., P + D): the first is the logit of what the probabilities alone predict, the networks correct it."""
        figures = summarised(figures, self.deep_center, self.deep_scale, self.components)
        normal = ((figures - self.center) / self.scale).clip(-_FURTHEST, _FURTHEST)
        inner = np.tanh(np.einsum("mhn,...n->...mh", self.hidden, normal) + self.hidden_bias)
        return _sigmoid(figures[..., 0] + (np.einsum("mh,...mh->...m", self.output, inner) + self.output_bias).mean(-1))

    def expected_error(self, predicted: np.ndarray) -> np.ndarray:
        """Scale of the error to expect at a predicted Dice."""
        x = _logit(predicted)
        return np.exp(self.doubt[0] + self.doubt[1] * x + self.doubt[2] * x**2)

    def interval(self, predicted: float, level: float) -> tuple[float, float]:
        """Range of Dice that held so large a share of the segments in calibration cases, as they are and degraded, that the fit did not see.

        Segments and copies of one case are alike, and a new image may be degraded otherwise, so this is an estimate without a guarantee.

        Raises:
            UncertaintyError: the level cannot be promised from so few cases.
        """
        reach = conformal_quantile(self.errors.tolist(), level) * float(self.expected_error(np.asarray(predicted)))
        return max(predicted - reach, 0.0), min(predicted + reach, 1.0)

    def verdict(self, predicted: float | None, unusual: bool) -> str:
        """'accept', 'review' or 'reject'; what is unlike the training images is never accepted, what is empty (None) is rejected."""
        if predicted is None or (self.reject is not None and predicted < self.reject):
            return "reject"
        return "accept" if self.accept is not None and predicted >= self.accept and not unusual else "review"

    def to_json(self) -> dict[str, Any]:
        return {name: _shortened(value) if isinstance(value, np.ndarray) else value for name, value in self.__dict__.items()}

    @staticmethod
    def from_json(section: dict[str, Any]) -> QualityPredictor:
        arrays = {name: np.asarray(value, float) if isinstance(value, list) else value for name, value in section.items()}
        return QualityPredictor(**arrays | {"components": arrays["components"].reshape(-1, len(arrays["deep_center"]))})


def summarised(figures: np.ndarray, deep_center: np.ndarray, deep_scale: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Figures (..., P + D) with K principal components in place of the D deep ones: (..., P + K)."""
    own = figures.shape[-1] - len(deep_center)
    return np.concatenate([figures[..., :own], (figures[..., own:] - deep_center) / deep_scale @ components.T], -1)


def quality_figures(facts: Facts, guard: Guard, spec: ModelSpec) -> dict[int, np.ndarray]:
    """What a predictor looks at, by label value: the segment's own figures, the worst of the other segments', how unusual the run is, and the
    network's features (where nobody listened, the usual ones)."""
    figures = figures_of(facts, spec)
    known = guard.deep is not None and facts.deep is not None
    deep = guard.deep.distances(facts.deep) if known else (1.0, 1.0)
    image = [np.log(guard.checks[name].score(figures[name]) + 0.1) for name in ("intensities", "sharpness")]
    found = {}
    for label in spec.labels:
        own = facts.segments[label.value]
        others = [facts.segments[other.value] for other in spec.labels if other is not label] or [own]
        volume = guard.checks[f"volume of {label.name}"]
        unusual = (figures[f"volume of {label.name}"] - volume.mean) / volume.deviation
        shape = figures[f"shape of {label.name}"]
        found[label.value] = np.array(
            [
                _logit(own.expected_dice),
                _logit(own.raw_expected_dice),
                own.band_entropy,
                min(_logit(other.expected_dice) for other in others),
                max(other.band_entropy for other in others),
                float(unusual[0]),
                np.log(guard.checks[f"shape of {label.name}"].score(shape) + 0.1),
                *np.log(np.asarray(deep) + 0.1),
                *image,
                *figures["sharpness"],
                *shape,
                own.at_border,
                np.log(own.doubtful + 0.01),
                *((facts.deep if known else guard.deep.mean) if guard.deep else ()),
            ]
        )
    return found


def _logit(share: float | np.ndarray) -> float | np.ndarray:
    p = np.clip(share, 0.005, 0.995)
    return np.log(p / (1 - p))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _shortened(values: np.ndarray) -> Any:
    """Five digits are more than these figures hold."""
    return [_shortened(item) for item in values] if values.ndim else float(f"{values:.5g}")
