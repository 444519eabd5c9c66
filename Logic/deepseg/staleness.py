"""Whether a map or a report still belongs to a segmentation, or somebody has edited the segments since it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from deepseg.volume import LabelMap

SEGMENTS = "DeepSeg.SegmentsSha256"
"""Attribute of a result and of everything made with it."""


def segments_sha256(labels: LabelMap) -> str:
    """Hash of which voxels the segments have, whatever their names, colours and number type."""
    digest = hashlib.sha256(repr((labels.geometry.shape, np.round(labels.geometry.ijk_to_ras, 3).tolist(), labels.overlapping)).encode())
    digest.update(np.ascontiguousarray(labels.array, np.uint16).tobytes())
    return digest.hexdigest()


def is_stale(attributes: Mapping[str, str], labels: LabelMap) -> bool:
    """Whether what carries these attributes was made with other segments than these; also where it does not say with which."""
    return attributes.get(SEGMENTS) != segments_sha256(labels)
