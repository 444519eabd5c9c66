"""Whether a model does as well for some patients as for others: by sex, site, bands of age, or any other column.

The events of fairness are voxels: predicted is where the model draws the label, true is where the reference has it. Of each case

- the predicted positive rate is the share of the image's voxels in which the label is predicted,
- the true positive rate is the sensitivity, the false positive rate 1 - specificity.

A group's rate is the mean over its patients, each of whom counts once. Between the groups

- the demographic-parity gap is the largest difference of predicted positive rates (Dwork et al. 2012). It follows the organ's size and the images'
  borders, too: compare it with the reference's rates, which are told beside it;
- the equalised-odds gap is the larger one of the largest differences of true and of false positive rates (Hardt et al. 2016);
- the Dice gap is the largest difference of mean Dice.

Intervals are percentiles of a bootstrap over patients within the groups. A gap is never below 0, so it is its p that tells whether it may be chance:
the share of random assignments of the patients to groups of the same sizes whose gap is as large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats
from tqdm import tqdm

from deepseg_train.errors import DatasetError
from deepseg_train.evaluation.statistics import Interval, holm, mean_interval

RATES = ("predicted positive rate", "reference positive rate", "true positive rate", "false positive rate")
FIGURES = ("dice", "hd95_mm", *RATES)
"""What is told of each group."""
_GAPS = {"Dice": ("dice",), "demographic parity": RATES[:1], "equalised odds": RATES[2:]}
_RANKED = {"Dice": "dice", "HD95": "hd95_mm"}
_DRAWS, _SEED = 5000, 0


@dataclass(frozen=True)
class Group:
    """Figures of one group; None where a figure is infinite or defined in no case."""

    name: str
    patients: int
    figures: dict[str, Interval | None]


@dataclass(frozen=True)
class GroupTest:
    """A question about all groups of a label.

    Attributes:
        question: in words.
        gap: largest difference between groups with its interval; None for a test of ranks.
        p, corrected_p: the second by Holm's method over all questions about the column.
    """

    question: str
    gap: Interval | None
    p: float
    corrected_p: float = math.nan


@dataclass(frozen=True)
class LabelGroups:
    """One label."""

    label: str
    groups: tuple[Group, ...]
    tests: tuple[GroupTest, ...]


@dataclass(frozen=True)
class Subgroups:
    """One column; `unknown` cases have no value in it and are left out."""

    column: str
    labels: tuple[LabelGroups, ...]
    unknown: int


def subgroups(rows: Sequence[dict[str, Any]], column: str, groups: Mapping[str, str]) -> Subgroups:
    """Compare groups of cases.

    Args:
        rows: of `rows_of`.
        column: what they are grouped by, for the reader.
        groups: group by case; '' where it is not known.

    Raises:
        DatasetError: there are fewer than two groups.
    """
    names = sorted({groups[row["case"]] for row in rows} - {""}, key=_natural)
    if len(names) < 2:
        shown = ", ".join(names) or "none"
        raise DatasetError(f"By the column '{column}' the cases make {len(names)} group ({shown}); expected at least two.")
    labels = list(dict.fromkeys(row["label"] for row in rows))
    bar = tqdm(labels, desc=f"groups by {column}", unit="label", delay=2.0)
    found = [_of_label(label, [row for row in rows if row["label"] == label], names, groups) for label in bar]
    corrected = iter(holm([test.p for label in found for test in label.tests]))
    found = [replace(label, tests=tuple(replace(test, corrected_p=next(corrected)) for test in label.tests)) for label in found]
    unknown = {row["case"] for row in rows if not groups[row["case"]]}
    return Subgroups(column, tuple(found), len(unknown))


def _of_label(label: str, rows: list[dict[str, Any]], names: list[str], groups: Mapping[str, str]) -> LabelGroups:
    # A unit is a patient; one who is in several groups, at two sites for example, is one in each.
    units: dict[tuple[str, str], list[dict[str, float]]] = {}
    for row in rows:
        if group := groups[row["case"]]:
            units.setdefault((group, row["patient"]), []).append(_figures(row))
    member = np.array([names.index(group) for group, _ in units])
    table = {name: np.array([_mean([figures[name] for figures in of_unit]) for of_unit in units.values()]) for name in FIGURES}
    told = tuple(
        Group(name, int((member == n).sum()), {key: _interval(values[member == n]) for key, values in table.items()}) for n, name in enumerate(names)
    )
    tests = [GroupTest(f"{title} differs (Kruskal-Wallis)", None, _ranks_p(table[key], member, len(names))) for title, key in _RANKED.items()]
    for title, keys in _GAPS.items():
        # A rate that a whole group lacks, such as the true positive one where nobody has the label, cannot be compared.
        known = [key for key in keys if len(set(member[np.isfinite(table[key])])) == len(names)]
        if known:
            gap, p = gap_test(np.stack([table[key] for key in known]), member)
            tests.append(GroupTest(f"{title} gap" + (f" ({known[0]} alone)" if len(known) < len(keys) else ""), gap, p))
    return LabelGroups(label, told, tuple(tests))


def gap_test(values: np.ndarray, member: np.ndarray) -> tuple[Interval, float]:
    """The largest difference of group means, of several rates the largest, and its p by random assignments.

    Args:
        values: (Q, N), of Q rates and N patients; nan where a patient has none, who then has no part in that rate's means.
        member: (N) group of each patient, 0 to G - 1, each with somebody who has the rate.
    """
    count = int(member.max()) + 1
    groups = (member == np.arange(count)[:, None]).astype(float)

    def gaps(drawn: np.ndarray) -> np.ndarray:
        known = np.isfinite(drawn)
        with np.errstate(invalid="ignore"):  # a group may be drawn without anybody who has the rate
            means = np.einsum("dqn,gn->dqg", np.where(known, drawn, 0), groups) / np.einsum("dqn,gn->dqg", known.astype(float), groups)
        return np.fmax.reduce(np.fmax.reduce(means, 2) - np.fmin.reduce(means, 2), 1)

    rng = np.random.default_rng(_SEED)
    seen = float(gaps(values[None])[0])
    places = np.arange(len(member))
    permuted = rng.permuted(np.tile(places, (_DRAWS, 1)), axis=1)
    resampled = np.tile(places, (_DRAWS, 1))
    for group in range(count):
        own = places[member == group]
        resampled[:, own] = rng.choice(own, (_DRAWS, len(own)))
    by_chance = gaps(np.moveaxis(values[:, permuted], 0, 1))
    low, high = np.quantile(gaps(np.moveaxis(values[:, resampled], 0, 1)), [0.025, 0.975])
    # Sums in another order may differ in their last digit.
    p = (1 + int((by_chance >= seen * (1 - 1e-9)).sum())) / (_DRAWS + 1)
    return Interval(seen, float(low), float(high)), p


def _ranks_p(values: np.ndarray, member: np.ndarray, count: int) -> float:
    """Kruskal-Wallis (1952); infinite values are the largest ranks."""
    defined = ~np.isnan(values)
    samples = [stats.rankdata(values[defined])[member[defined] == group] for group in range(count)]
    samples = [sample for sample in samples if len(sample)]
    if len(samples) < 2 or len(np.unique(values[defined])) < 2:
        return 1.0
    return float(stats.kruskal(*samples).pvalue)


def _figures(row: dict[str, Any]) -> dict[str, float]:
    rates = (row["predicted_ml"] / row["image_ml"], row["reference_ml"] / row["image_ml"], row["sensitivity"], 1 - row["specificity"])
    return {"dice": row["dice"], "hd95_mm": row["hd95_mm"], **dict(zip(RATES, rates, strict=True))}


def _mean(values: list[float]) -> float:
    kept = [value for value in values if not math.isnan(value)]
    return float(np.mean(kept)) if kept else math.nan


def _interval(values: np.ndarray) -> Interval | None:
    values = values[~np.isnan(values)]
    return mean_interval(values, [str(n) for n in range(len(values))]) if len(values) and np.isfinite(values).all() else None


def _natural(name: str) -> tuple[int, float, str]:
    """Bands in their order, then names by the alphabet."""
    start = name.removeprefix("below ").split(" ")[0]
    try:
        return (0, float(start) - 0.5 * name.startswith("below "), name)
    except ValueError:
        return (1, 0.0, name)
