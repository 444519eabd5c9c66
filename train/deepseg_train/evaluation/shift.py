"""Whether two sets of images come from one distribution: two tests on vectors that describe each image.

Images of one patient are alike, so that patients are assigned to the two sets at random, with all their images, and are never on both sides of a
cross-validation; what a patient has in the other set counts as another patient's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from deepseg_train.errors import DatasetError

LEAST_PATIENTS = 5
"""In each set; with fewer no test can tell anything."""
Patients = tuple[Sequence[str], Sequence[str]]
PERMUTATIONS = 1000
CLASSIFIER_PERMUTATIONS = 200
_FOLDS = 5


@dataclass(frozen=True)
class ShiftTest:
    """A test's figure and how often as large a one comes about where patients are assigned to the two sets at random."""

    name: str
    value: float
    p: float


@dataclass(frozen=True)
class Shift:
    """What is known of two sets of images.

    Attributes:
        images: in each.
        tests: of whether they differ.
        differences: the figures that differ most: name, difference of the means (second minus first) in their pooled standard deviation.
    """

    images: tuple[int, int]
    tests: tuple[ShiftTest, ...]
    differences: tuple[tuple[str, float], ...]


def shift(first: np.ndarray, second: np.ndarray, names: list[str], seed: int = 0, shown: int = 6, patients: Patients | None = None) -> Shift:
    """Compare two sets of vectors (N, F) and (M, F), one for each image.

    Args:
        first, second: finite figures; they are standardised together, so that their units play no part.
        names: of the F figures.
        seed: of the permutations.
        shown: how many of the figures that differ most are told.
        patients: whose each image of the first set is, and each of the second; None where each is another patient's.

    Raises:
        DatasetError: fewer than five patients in a set.
    """
    counts = [len(set(of)) for of in patients] if patients else [len(first), len(second)]
    if min(counts) < LEAST_PATIENTS:
        whose, each = (f" of {counts[0]} and {counts[1]} patients", "patients each") if patients else ("", "of each")
        raise DatasetError(f"There are {len(first)} and {len(second)} images{whose} to compare; at least {LEAST_PATIENTS} {each} are needed.")
    both = np.concatenate([first, second])
    deviation = both.std(0)
    varying = deviation > 1e-9 * np.maximum(np.abs(both).max(0), 1e-9)
    normal = (both[:, varying] - both[:, varying].mean(0)) / deviation[varying]
    x, y = normal[: len(first)], normal[len(first) :]
    tests = (
        maximum_mean_discrepancy(x, y, seed, patients=patients),
        classifier_two_sample(x, y, seed, CLASSIFIER_PERMUTATIONS, patients),
    )
    apart = _standardised_differences(first[:, varying], second[:, varying])
    order = np.argsort(-np.abs(apart))[:shown]
    kept = [name for name, keep in zip(names, varying, strict=True) if keep]
    return Shift((len(first), len(second)), tests, tuple((kept[n], float(apart[n])) for n in order))


def maximum_mean_discrepancy(
    x: np.ndarray, y: np.ndarray, seed: int = 0, permutations: int = PERMUTATIONS, patients: Patients | None = None
) -> ShiftTest:
    """Unbiased squared maximum mean discrepancy of (N, F) and (M, F) with a Gaussian kernel (Gretton et al. 2012, JMLR 13, lemma 6).

    The kernel's width is the median distance between any two of all vectors. It is about 0, above or below, where both come from one distribution.
    """
    both = np.concatenate([x, y])
    squared = cdist(both, both, "sqeuclidean")
    median = np.median(squared[np.triu_indices(len(both), 1)])
    kernel = np.exp(-squared / (2 * median)) if median > 0 else np.ones_like(squared)
    np.fill_diagonal(kernel, 0)
    value = _unbiased(kernel, np.arange(len(both)) < len(x))
    rng, (unit, member) = np.random.default_rng(seed), _units(len(x), len(y), patients)
    by_chance = [_unbiased(kernel, rng.permutation(member)[unit] == 0) for _ in range(permutations)]
    return ShiftTest("MMD² (unbiased, Gaussian kernel of median width)", value, _p(by_chance, value))


def classifier_two_sample(x: np.ndarray, y: np.ndarray, seed: int, permutations: int, patients: Patients | None = None) -> ShiftTest:
    """Balanced accuracy with which logistic regression tells (N, F) from (M, F) vectors it was not fitted on (Lopez-Paz and Oquab 2017,
    arXiv:1610.06545); 0.5 is chance.

    Its p comes from permutations: the folds of a cross-validation are not independent, as a binomial test would have it.
    """
    both, (unit, member) = np.concatenate([x, y]), _units(len(x), len(y), patients)
    if both.shape[1] > len(both):
        # Turned so that all that varies lies along as many axes as there are images; a ridge penalty does not see the turn, and it saves time.
        left, scale, _ = np.linalg.svd(both - both.mean(0), full_matrices=False)
        both = left * scale
    folds = min(_FOLDS, *np.bincount(member).tolist())
    # Weak weights of the figures: there are often more of them than images.
    classifier = LogisticRegression(C=0.1, class_weight="balanced", solver="liblinear")
    value = _accuracy(classifier, both, member[unit], unit, folds, seed)
    rng = np.random.default_rng(seed)
    by_chance = [_accuracy(classifier, both, rng.permutation(member)[unit], unit, folds, seed) for _ in range(permutations)]
    return ShiftTest("classifier's balanced accuracy", value, _p(by_chance, value))


def _units(first: int, second: int, patients: Patients | None) -> tuple[np.ndarray, np.ndarray]:
    """Which unit is shuffled with each of the images, (N + M), and which set each unit is of, 0 or 1."""
    of = [*patients[0], *patients[1]] if patients else [str(n) for n in range(first + second)]
    pairs = list(zip(np.repeat([0, 1], [first, second]).tolist(), of, strict=True))
    places = {pair: n for n, pair in enumerate(dict.fromkeys(pairs))}
    return np.array([places[pair] for pair in pairs]), np.array([member for member, _ in places])


def _accuracy(classifier: LogisticRegression, vectors: np.ndarray, member: np.ndarray, unit: np.ndarray, folds: int, seed: int) -> float:
    right = np.zeros(len(member), bool)
    alone = unit.max() + 1 == len(unit)
    # Both keep the sets in proportion; the second is slower, and needed where units have several images.
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    for fitted, held in kind(folds, shuffle=True, random_state=seed).split(vectors, member, None if alone else unit):
        right[held] = classifier.fit(vectors[fitted], member[fitted]).predict(vectors[held]) == member[held]
    return float((right[member == 0].mean() + right[member == 1].mean()) / 2)


def _unbiased(kernel: np.ndarray, in_first: np.ndarray) -> float:
    """Of a kernel matrix with zeros on its diagonal."""
    n, m = int(in_first.sum()), int((~in_first).sum())
    side = in_first.astype(float)
    within_first = side @ kernel @ side / (n * (n - 1))
    within_second = (1 - side) @ kernel @ (1 - side) / (m * (m - 1))
    return float(within_first + within_second - 2 * (side @ kernel @ (1 - side)) / (n * m))


def _p(by_chance: list[float], value: float) -> float:
    return (1 + sum(other >= value - 1e-12 for other in by_chance)) / (len(by_chance) + 1)


def _standardised_differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cohen's d of each figure, second minus first; limited to 99 where a set does not vary."""
    counts = len(first) - 1, len(second) - 1
    pooled = np.sqrt((counts[0] * first.var(0, ddof=1) + counts[1] * second.var(0, ddof=1)) / sum(counts))
    apart = second.mean(0) - first.mean(0)
    return np.clip(apart / np.maximum(pooled, 1e-12), -99, 99)
