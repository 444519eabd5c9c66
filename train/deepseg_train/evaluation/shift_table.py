"""Shift between sets of images as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepseg_train.evaluation.comparison import p_text
from deepseg_train.evaluation.shift import CLASSIFIER_PERMUTATIONS, PERMUTATIONS, Patients, shift
from deepseg_train.evaluation.statistics import holm
from deepseg_train.evaluation.tables import markdown


def shift_table(pairs: Sequence[tuple[str, Sequence[np.ndarray], Sequence[np.ndarray], Patients]], names: list[str]) -> str:
    """Test each pair of sets of vectors; p is corrected by Holm's method for all tests.

    Args:
        pairs: title, vectors (F) of the first set, of the second, and whose they are.
        names: of the F figures.

    Raises:
        DatasetError: a set has fewer than five patients.
    """
    found = [(title, shift(np.array(first), np.array(second), names, patients=patients)) for title, first, second, patients in pairs]
    corrected = iter(holm([test.p for _, result in found for test in result.tests]))
    lines = [
        [title, " + ".join(map(str, result.images)), test.name, f"{test.value:.3f}", p_text(test.p), p_text(next(corrected))]
        for title, result in found
        for test in result.tests
    ]
    apart = [f"- {title}: " + ", ".join(f"{name} ({difference:+.1f})" for name, difference in result.differences) + "." for title, result in found]
    chance = (
        f"P by {PERMUTATIONS} and {CLASSIFIER_PERMUTATIONS} random assignments of the patients, so never below {1 / (PERMUTATIONS + 1):.3f} and "
        f"{1 / (CLASSIFIER_PERMUTATIONS + 1):.3f}; p (Holm) corrected for the {len(lines)} tests of this table."
    )
    note = "What differs most, as difference of the means (second minus first) in standard deviations:"
    return "\n\n".join([markdown(["sets", "images", "test", "value", "p", "p (Holm)"], lines), chance, note, "\n".join(apart)])
