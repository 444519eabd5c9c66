"""How well a measure of doubt finds errors."""

from __future__ import annotations

import numpy as np


def auroc(doubt: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that an error is more doubtful than what is right, ties counted half (Mann and Whitney 1947); nan where all are alike.

    Args:
        doubt: any shape.
        wrong: bool, of the same shape.
    """
    doubt, wrong = doubt.ravel(), wrong.ravel()
    errors = int(wrong.sum())
    if errors in (0, len(wrong)):
        return float("nan")
    _, place, count = np.unique(doubt, return_inverse=True, return_counts=True)
    rank = (count.cumsum() - (count - 1) / 2)[place]
    return float((rank[wrong].sum() - errors * (errors + 1) / 2) / (errors * (len(wrong) - errors)))


def aurc(doubt: np.ndarray, wrong: np.ndarray) -> float:
    """Area under the risk-coverage curve: the error rate among the least doubtful, averaged over every share of them (Geifman et al. 2019,
    arXiv:1805.08206). Lower is better; of equally doubtful ones the errors are spread evenly.
    """
    doubt, wrong = doubt.ravel(), wrong.ravel().astype(np.float64)
    _, place, count = np.unique(doubt, return_inverse=True, return_counts=True)
    mean = np.bincount(place, wrong) / count
    errors = np.repeat(mean, count).cumsum()
    return float((errors / np.arange(1, len(errors) + 1)).mean())
