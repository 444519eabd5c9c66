"""How well a label's probabilities rank the voxels that have it before those that have not: AUROC and AUPRC.

The voxels without the label, a hundred million in an image of a whole body, are sorted and counted part by part: that keeps memory small, and the
curves bend only at probabilities of voxels that have it.
"""

from __future__ import annotations

import numpy as np

_PART = 4_000_000
"""Voxels counted at a time."""


def ranking_areas(probability: np.ndarray, present: np.ndarray) -> tuple[float, float]:
    """Areas under the ROC curve and under the precision-recall curve, ties counted as they should be.

    Args:
        probability: of the label, any shape.
        present: bool, of the same shape: which voxels have the label.

    Returns:
        AUROC, the probability that a voxel with the label has a higher probability than one without, ties counted half (Mann and Whitney 1947);
        AUPRC as average precision, the precision at each threshold weighted by the recall it adds, without interpolation (Davis and Goadrich
        2006). Both nan where all voxels have the label or none has.
    """
    present = present.ravel()
    inside, outside = probability.ravel()[present], probability.ravel()[~present]
    if not inside.size or not outside.size:
        return float("nan"), float("nan")
    thresholds, gained = np.unique(inside, return_counts=True)
    # At each threshold: voxels without the label that reach it, and those that exceed it.
    reaching, exceeding = np.zeros(len(thresholds), np.int64), np.zeros(len(thresholds), np.int64)
    for start in range(0, outside.size, _PART):
        part = np.sort(outside[start : start + _PART])
        reaching += part.size - np.searchsorted(part, thresholds, "left")
        exceeding += part.size - np.searchsorted(part, thresholds, "right")
    auroc = float((gained * (outside.size - (reaching + exceeding) / 2)).sum() / inside.size / outside.size)
    found = gained[::-1].cumsum()[::-1]
    auprc = float((gained * (found / (found + reaching))).sum() / inside.size)
    return auroc, auprc
