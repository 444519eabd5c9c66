"""How well two segmentations agree (Maier-Hein et al. 2024, "Metrics reloaded")."""

from __future__ import annotations

import numpy as np


def dice(predicted: np.ndarray, reference: np.ndarray) -> float:
    """Dice coefficient of two masks: 2 |A and B| / (|A| + |B|), 1 where both are empty."""
    total = int(predicted.sum()) + int(reference.sum())
    return 2 * int((predicted & reference).sum()) / total if total else 1.0


def iou(predicted: np.ndarray, reference: np.ndarray) -> float:
    """Intersection over union of two masks (Jaccard index), 1 where both are empty."""
    union = int((predicted | reference).sum())
    return int((predicted & reference).sum()) / union if union else 1.0
