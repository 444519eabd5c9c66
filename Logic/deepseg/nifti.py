"""What ITK's NIfTI reader hides: it reads NaN, infinite and cut-off voxels as 0 and says nothing. So look at the bytes first."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from deepseg.errors import VolumeError
from deepseg.volume import not_numbers

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_FLOAT_TYPES = {16: "f4", 64: "f8"}
_HEADER_SIZES = (348, 540)


def refuse_damaged_nifti(path: Path, datatype: int, bits: int, offset: int, count: int) -> None:
    """Check a NIfTI file's bytes against its header's words: type code, bits of a voxel, first byte of the voxels, number of voxels.

    Raises:
        VolumeError: the file is shorter than it announces, its compressed stream is damaged, or voxels are NaN or infinite.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise VolumeError(f"{path} is damaged ({error}). Copy or export it again.") from error
    present, expected = max(len(content) - offset, 0), bits * count // 8
    if present < expected:
        raise VolumeError(f"{path} is cut off: it holds {present} bytes of voxels, its header announces {expected}. Copy or export it again.")
    if datatype in _FLOAT_TYPES:
        order = "<" if int.from_bytes(content[:4], "little") in _HEADER_SIZES else ">"
        voxels = np.frombuffer(content, order + _FLOAT_TYPES[datatype], count, offset)
        bad = count - int(np.isfinite(voxels).sum())
        if bad:
            raise not_numbers(path.name, bad, count)
