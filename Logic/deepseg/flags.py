"""What to look at in a segment, told by its shape alone."""

from __future__ import annotations

import numpy as np


def flags_of(mask: np.ndarray) -> list[str]:
    """Of one segment's mask (I, J, K): 'empty', or 'touches the border' where a part of it may lie beyond the image's outer voxels."""
    if not mask.any():
        return ["empty"]
    # An axis of one voxel has no inside.
    border = any(np.take(mask, (0, -1), axis).any() for axis in range(3) if mask.shape[axis] > 1)
    return ["touches the border"] if border else []
