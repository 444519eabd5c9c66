"""What ITK's NIfTI reader hides: it reads NaN, infinite and cut-off voxels as 0 and says nothing. So look at the bytes first."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from deepseg.errors import VolumeError
from deepseg.volume import not_numbers

_PAIR_SUFFIXES = (".hdr", ".img", ".hdr.gz", ".img.gz")
_SUFFIXES = (".nii", ".nii.gz", *_PAIR_SUFFIXES)
_FLOAT_TYPES = {16: "f4", 64: "f8"}
_HEADER_SIZES = (348, 540)


def is_nifti(path: Path) -> bool:
    """Whether a file's name, in small or capital letters, is that of a NIfTI file or of one of a pair."""
    return path.name.lower().endswith(_SUFFIXES)


def refuse_damaged_nifti(path: Path, datatype: int, bits: int, offset: int, count: int) -> None:
    """Check a NIfTI file's bytes against its header's words: type code, bits of a voxel, first byte of the voxels, number of voxels.

    Raises:
        VolumeError: the file is shorter than it announces, its compressed stream is damaged, or voxels are NaN or infinite.
    """
    try:
        header, content = _read(path)
    except (OSError, EOFError, zlib.error) as error:
        raise VolumeError(f"{path} is damaged ({error}). Copy or export it again.") from error
    present, expected = max(len(content) - offset, 0), bits * count // 8
    if present < expected:
        raise VolumeError(f"{path} is cut off: it holds {present} bytes of voxels, its header announces {expected}. Copy or export it again.")
    if datatype in _FLOAT_TYPES:
        order = "<" if int.from_bytes(header[:4], "little") in _HEADER_SIZES else ">"
        voxels = np.frombuffer(content, order + _FLOAT_TYPES[datatype], count, offset)
        bad = count - int(np.isfinite(voxels).sum())
        if bad:
            raise not_numbers(path.name, bad, count)


def _read(path: Path) -> tuple[bytes, bytes]:
    """The bytes that begin with the header and those that hold the voxels: one file, or a pair .hdr and .img."""
    name = path.name.lower()
    suffix = next((s for s in _PAIR_SUFFIXES if name.endswith(s)), None)
    if suffix is None:
        content = _unpacked(path)
        return content, content
    stem = name.removesuffix(suffix)
    beside = {other.name.lower(): other for other in path.parent.iterdir()}
    return tuple(_unpacked(beside.get(f"{stem}.{part}") or beside.get(f"{stem}.{part}.gz") or path) for part in ("hdr", "img"))


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
