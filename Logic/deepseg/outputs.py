"""Files that are written: whole or not at all, and never where something else would be lost."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from deepseg.errors import OutputError
from deepseg.itk_messages import names_undecoded, telling_line
from deepseg.segmentation_file import SEGMENTATION_SUFFIX

LABEL_SUFFIXES = (SEGMENTATION_SUFFIX, ".nrrd", ".nii.gz", ".nii", ".mha")
"""Formats of one file: a pair of files could not appear in one step."""


def ending(path: Path) -> str:
    """What a file's name ends in, `.nii.gz` and `.seg.nrrd` whole."""
    return next((suffix for suffix in LABEL_SUFFIXES if path.name.endswith(suffix)), path.suffix)


def beside(path: Path, addition: str) -> Path:
    """A file beside another, by its name with something in place of its ending."""
    return path.with_name(path.name.removesuffix(ending(path)) + addition)


def check_output(path: Path, suffixes: tuple[str, ...] = LABEL_SUFFIXES) -> None:
    """Refuse, before any work is done, a path that cannot be written.

    Raises:
        OutputError: the ending is unknown, the folder is missing or not writable, or the path is a folder.
    """
    if not path.name.endswith(suffixes):
        raise OutputError(f"Cannot write {path}: its ending must be one of {', '.join(suffixes)}.")
    if names_undecoded(path):
        raise OutputError(f"Cannot write {path}: the name is not in UTF-8. Choose another file or folder.")
    if path.is_dir():
        raise OutputError(f"Cannot write {path}: a folder has that name.")
    if not path.parent.is_dir():
        raise OutputError(f"Cannot write {path}: the folder {path.parent} does not exist. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"Cannot write {path}: the folder {path.parent} is not writable.")


def check_frames_output(path: Path, overlapping: bool) -> None:
    """Refuse, before any work is done, a path that cannot take the labels of a sequence's frames.

    Raises:
        OutputError: as `check_output`; or the ending is `.seg.nrrd`, or labels may overlap.
    """
    check_output(path)
    if path.name.endswith(SEGMENTATION_SUFFIX):
        others = ", ".join(suffix for suffix in LABEL_SUFFIXES if suffix != SEGMENTATION_SUFFIX)
        raise OutputError(f"Cannot write {path}: a segmentation file holds one frame; a sequence's frames go to one file that ends in {others}.")
    if overlapping:
        raise OutputError(f"Cannot write {path}: the labels may overlap, which a file of several frames cannot hold. Segment the frames one by one.")


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    Raises:
        OutputError: writing failed; no half-written file is left.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=".deepseg-", suffix=ending(path), dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
    try:
        write(Path(name))
        # mkstemp makes files for the owner alone; a result gets the rights any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except (OSError, RuntimeError) as error:
        # ITK does not say why it could not write; most often the disk is full.
        full = isinstance(error, RuntimeError) or error.errno in (errno.ENOSPC, errno.EDQUOT)
        question = " Is the disk full?" if full else " Is it open in another program?" if isinstance(error, PermissionError) else ""
        raise OutputError(f"Cannot write {path}: {getattr(error, 'strerror', None) or telling_line(error)}.{question}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def set_aside(path: Path, additions: tuple[str, ...] = ()) -> Path | None:
    """Give a file that is there another name, `<name>.earlier<ending>`, or with a number after it, so that a new one can take its place.

    Args:
        path: the file.
        additions: of names of files `beside` it that belong to it; they go along.

    Returns:
        The name it has now; None where there is none of these files.

    Raises:
        OutputError: one cannot be renamed.
    """
    endings = [name for name in (ending(path), *additions) if beside(path, name).exists()]
    if not endings:
        return None
    numbers = ("", *(f"-{n}" for n in range(2, 10**6)))
    number = next(number for number in numbers if not any(beside(path, f".earlier{number}{name}").exists() for name in endings))
    for name in endings:
        old, new = beside(path, name), beside(path, f".earlier{number}{name}")
        try:
            old.rename(new)
        except OSError as error:
            raise OutputError(f"Cannot rename {old} to {new.name}: {error.strerror}. Is it open in another program?") from error
    return beside(path, f".earlier{number}{endings[0]}")
