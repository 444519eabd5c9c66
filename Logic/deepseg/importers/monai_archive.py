"""A zipped bundle, laid out in a temporary folder: files of the archive only, inside the folder only, of a size that fits."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from deepseg.errors import ModelError

MAX_BYTES = 8 << 30
MAX_FILES = 10_000
_BLOCK = 1 << 20


@contextmanager
def opened(source: Path) -> Iterator[Path]:
    """Folder of a bundle that is a folder or a zip file; what was unpacked is removed afterwards.

    Raises:
        ModelError: it is neither, or the zip file is damaged, reaches outside itself, holds links, or is too large.
    """
    if source.is_dir():
        yield source
        return
    if not zipfile.is_zipfile(source):
        raise ModelError(f"{source} is neither a folder nor a zip file; expected a MONAI bundle.")
    work = Path(tempfile.mkdtemp(prefix="monai-bundle-"))
    try:
        try:
            _unpack(source, work)
        # ValueError: names that are no text.
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, LZMAError, RuntimeError, NotImplementedError) as error:
            raise ModelError(f"{source} cannot be unpacked: {error}. Get the bundle again.") from error
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def bundle_root(folder: Path) -> Path:
    """Where in a folder the bundle lies: itself, or the one folder in it that has `configs`.

    Raises:
        ModelError: there is no bundle.
    """
    places = [folder, *(child for child in sorted(folder.iterdir()) if child.is_dir())]
    found = [place for place in places if (place / "configs" / "metadata.json").is_file()]
    if not found:
        raise ModelError(f"{folder} is no MONAI bundle: it lacks the file configs/metadata.json.")
    return found[0]


def _unpack(source: Path, work: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_BYTES:
            raise ModelError(f"{source} unpacks to more than {MAX_FILES} files or {MAX_BYTES >> 30} GB; this is no MONAI bundle.")
        for entry in entries:
            target = _inside(entry, work, source)
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as packed, target.open("xb") as file:
                _copy(packed, file, entry)


def _inside(entry: zipfile.ZipInfo, work: Path, source: Path) -> Path:
    name = PurePosixPath(entry.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in entry.filename:
        raise ModelError(f"{source} holds '{entry.filename}', which lies outside the bundle; it is not unpacked.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ModelError(f"{source} holds '{entry.filename}', which is a link or a device; it is not unpacked.")
    return work.joinpath(*name.parts)


def _copy(packed: object, file: object, entry: zipfile.ZipInfo) -> None:
    """No more than the archive said, whatever it unpacks to."""
    left = entry.file_size
    while block := packed.read(min(_BLOCK, left + 1)):
        left -= len(block)
        if left < 0:
            raise zipfile.BadZipFile(f"'{entry.filename}' is larger than it says")
        file.write(block)
