"""What samples of class probabilities say about each voxel. They are added up one by one: memory does not grow with their number.

Entropy (Depeweg et al. 2018, arXiv:1710.07283): predictive H[E p] = expected E H[p] (aleatoric) + mutual information (epistemic).
Variance of the class, by the law of total variance (Kwon et al. 2020, doi:10.1016/j.csda.2019.106816), summed over the classes:
E p (1 - E p) = E[p (1 - p)] (aleatoric) + Var p (epistemic).
Where labels may overlap each is a class of its own against its absence, and both are sums over the labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from deepseg.errors import UncertaintyError


@dataclass(frozen=True)
class Measure:
    """What a map's values mean.

    Attributes:
        title: for people.
        unit: 'nats' of entropies; '1' of variances and margins.
        kind: 'total', 'aleatoric' (in the image: more samples do not make it smaller) or 'epistemic' (in the model: more training cases may).
    """

    title: str
    unit: str
    kind: str


MEASURES = {
    "predictive_entropy": Measure("Predictive entropy", "nats", "total"),
    "expected_entropy": Measure("Expected entropy", "nats", "aleatoric"),
    "mutual_information": Measure("Mutual information", "nats", "epistemic"),
    "total_variance": Measure("Variance of the class", "1", "total"),
    "expected_variance": Measure("Expected variance of the class", "1", "aleatoric"),
    "variance_of_means": Measure("Variance of the probabilities", "1", "epistemic"),
    "margin": Measure("One minus the lead of the likeliest class over the second", "1", "total"),
}
ERROR_PROBABILITY = Measure("Probability that the label is wrong", "1", "total")
"""Of recalibrated probabilities alone; no sample tells it."""


def largest_value(measure: str, channels: int, overlapping: bool) -> float:
    """Upper end of a measure's range for so many output channels; the lower end is 0."""
    if measure == "margin":
        return 1.0
    if MEASURES[measure].unit == "nats":
        return channels * math.log(2) if overlapping else math.log(channels)
    return channels / 4 if overlapping else 1 - 1 / channels


class Tally:
    """Samples of probabilities (L, ...) of one grid, added up.

    Attributes:
        count: how many there are.
    """

    def __init__(self, overlapping: bool) -> None:
        """`overlapping`: each channel is a label against its absence (sigmoid), not one of exclusive classes (softmax)."""
        self.count = 0
        self._overlapping = overlapping
        self._sum = self._entropy = self._variance = torch.empty(0)
        self._votes, self._sizes = torch.empty(0), torch.empty(0)

    def add(self, probabilities: torch.Tensor) -> None:
        """One more sample, float32 (L, ...)."""
        votes = _one_hot(probabilities, self._overlapping)
        if not self.count:
            self._sum = torch.zeros_like(probabilities)
            self._entropy, self._variance = torch.zeros_like(probabilities[0]), torch.zeros_like(probabilities[0])
            self._votes = torch.zeros(votes.shape, dtype=torch.int16)
            self._sizes = torch.zeros(len(votes), dtype=torch.int64)
        self.count += 1
        self._sum += probabilities
        self._entropy += _entropy(probabilities, self._overlapping)
        self._variance += _variance(probabilities)
        self._votes += votes
        self._sizes += votes.flatten(1).sum(1)

    def mean(self) -> torch.Tensor:
        """Mean probabilities, float32 (L, ...).

        Raises:
            UncertaintyError: there is no sample.
        """
        if not self.count:
            raise UncertaintyError("There is no sample to measure; draw at least one.")
        return self._sum / self.count

    def measure(self, name: str) -> torch.Tensor:
        """A map (...), float32, not negative; `name` is a key of `MEASURES`.

        Raises:
            UncertaintyError: there is no sample.
        """
        mean = self.mean()
        if name == "margin":
            return _doubt(mean, self._overlapping)
        entropies = MEASURES[name].unit == "nats"
        within = (self._entropy if entropies else self._variance) / self.count
        if MEASURES[name].kind == "aleatoric":
            return within
        total = _entropy(mean, self._overlapping) if entropies else _variance(mean)
        if MEASURES[name].kind == "epistemic":
            return (total - within).clamp_min(0)  # rounding
        # The sum of its two parts, to the last digit.
        return within + (total - within).clamp_min(0)

    def pairwise_dice(self) -> list[float]:
        """For each label, the Dice of two samples' segments, intersections and sizes added up over all pairs; nan where no sample has the label.

        Raises:
            UncertaintyError: there are fewer than two samples.
        """
        if self.count < 2:
            raise UncertaintyError(f"Agreement needs at least two samples; there {'is' if self.count else 'are'} {self.count}.")
        votes = self._votes.flatten(1).double()
        shared = (votes * (votes - 1)).sum(1)  # both orders of each pair
        sizes = (self.count - 1) * self._sizes.double()
        return (shared / sizes).tolist()


def _one_hot(probabilities: torch.Tensor, overlapping: bool) -> torch.Tensor:
    """Which labels a sample gives each voxel, bool (labels, ...)."""
    if overlapping:
        return probabilities > 0.5
    labels = torch.arange(1, len(probabilities)).reshape(-1, *[1] * (probabilities.ndim - 1))
    return probabilities.argmax(0, keepdim=True) == labels


def _entropy(probabilities: torch.Tensor, overlapping: bool) -> torch.Tensor:
    entropy = torch.special.entr(probabilities).sum(0)
    return entropy + torch.special.entr(1 - probabilities).sum(0) if overlapping else entropy


def _variance(probabilities: torch.Tensor) -> torch.Tensor:
    return (probabilities * (1 - probabilities)).sum(0)


def _doubt(mean: torch.Tensor, overlapping: bool) -> torch.Tensor:
    if overlapping:
        return 1 - (2 * mean - 1).abs().amin(0)
    first, second = mean.topk(2, 0).values
    return (1 - (first - second)).clamp(0, 1)
