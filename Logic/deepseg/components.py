"""Connected parts of a label."""

from __future__ import annotations

import numpy as np


def keep_largest(array: np.ndarray, value: int, overlapping: bool) -> None:
    """Remove all but the largest connected component of a label, in place; voxels that share a corner are connected.

    Args:
        array: uint8 or uint16 (I, J, K), label values, or bit fields where `overlapping`.
        value: the label.
    """
    import SimpleITK as sitk

    bit = 1 << (value - 1)
    mask = (array & bit) != 0 if overlapping else array == value
    if not mask.any():
        return
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True)
    largest = sitk.GetArrayFromImage(sitk.RelabelComponent(parts, sortByObjectSize=True)) == 1
    others = mask & ~largest
    if overlapping:
        array[others] &= ~array.dtype.type(bit)
    else:
        array[others] = 0
