"""What ITK's NIfTI reader hides: it reads NaN, infinite and cut-off voxels as 0 and says nothing. So look at the bytes first."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from deepseg.errors import VolumeError
from deepseg.volume import not_numbers

_PAIR_SUFFIXES = (".hdr", ".img", ".hdr.gz", ".img.gz")
_SUFFIXES = (".nii", ".nii.gz", *_PAIR_SUFFIXES)
_FLOAT_TYPES = {16: "f4", 64: "f8"}
_HEADER_SIZES = (348, 540)
_PART_BYTES = 2**24


def is_nifti(path: Path) -> bool:
    """Whether a file's name, in small or capital letters, is that of a NIfTI file or of one of a pair."""
    return path.name.lower().endswith(_SUFFIXES)


def refuse_damaged_nifti(path: Path, datatype: int, bits: int, offset: int, count: int) -> None:
    """Check a NIfTI file's bytes against its header's words: type code, bits of a voxel, first byte of the voxels, number of voxels.

    Raises:
        VolumeError: the file is shorter than it announces, its compressed stream is damaged, or voxels are NaN or infinite.
    """
    expected = bits * count // 8
    header_file, voxel_file = _files(path)
    try:
        with _opened(header_file) as file:
            order = "<" if int.from_bytes(file.read(4), "little") in _HEADER_SIZES else ">"
        present, bad = _count(voxel_file, offset, expected, order + _FLOAT_TYPES[datatype] if datatype in _FLOAT_TYPES else None)
    except (OSError, EOFError, zlib.error) as error:
        raise VolumeError(f"{path} is damaged ({str(error).partition(' 0x')[0]}). Copy or export it again.") from error
    if present < expected:
        raise VolumeError(f"{path} is cut off: it holds {present} bytes of voxels, its header announces {expected}. Copy or export it again.")
    if bad:
        raise not_numbers(path.name, bad, count)


def _count(path: Path, offset: int, expected: int, number_type: str | None) -> tuple[int, int]:
    """Bytes of voxels that a file holds, at most `expected`, and how many of its floating-point numbers are NaN or infinite; a part at a time."""
    present = bad = 0
    with _opened(path) as file:
        skipped = len(file.read(offset))
        while skipped == offset and present < expected:
            part = file.read(min(_PART_BYTES, expected - present))
            if not part:
                break
            present += len(part)
            if number_type:
                values = np.frombuffer(part, number_type, len(part) // np.dtype(number_type).itemsize)
                bad += len(values) - int(np.isfinite(values).sum())
        # The checksum of a compressed file comes after its last byte.
        while file.read(_PART_BYTES):
            pass
    return present, bad


def _files(path: Path) -> tuple[Path, Path]:
    """The files that hold the header and the voxels: one and the same, or a pair .hdr and .img."""
    name = path.name.lower()
    suffix = next((s for s in _PAIR_SUFFIXES if name.endswith(s)), None)
    if suffix is None:
        return path, path
    stem = name.removesuffix(suffix)
    beside = {other.name.lower(): other for other in path.parent.iterdir()}
    return tuple(beside.get(f"{stem}.{part}") or beside.get(f"{stem}.{part}.gz") or path for part in ("hdr", "img"))


def _opened(path: Path) -> BinaryIO:
    """A file's content, unpacked where it is compressed, whatever its name says; reads whole parts."""
    with path.open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_compressed else path.open("rb")
