"""Folders for one run or one worker: on shared memory where there is room, and never left behind.

Each folder holds a file that its owner keeps locked. The operating system drops the lock when the owner dies, however that went, so whoever
comes next can tell an abandoned folder from one in use without asking after process numbers, which are used again.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from deepseg.api import remove_folder

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

_PREFIX = "deepseg-run-"
_LOCK = "in-use"
_NEWBORN_S = 60.0
"""A folder without a lock file may be one that is just being made."""

_ATTEMPTS = 20

_in_use: set[PrivateFolder] = set()


class PrivateFolder:
    """A new folder that only this user can read, until `remove`."""

    def __init__(self, root: Path) -> None:
        """Make it below `root`.

        Raises:
            OSError: it cannot be made there.
        """
        for _ in range(_ATTEMPTS):
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
            try:
                self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT)
            except OSError:
                remove_folder(self.path)
                raise
            _in_use.add(self)
            # Another client that sweeps may have come between the two.
            if _locked(self._lock) and (self.path / _LOCK).exists():
                return
            self.remove()
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(root))

    def remove(self) -> None:
        """Remove it with everything in it; does nothing the second time."""
        try:
            _in_use.remove(self)
        except KeyError:
            return
        os.close(self._lock)  # Windows removes no open file
        remove_folder(self.path)


def roots() -> list[Path]:
    """Where folders may lie, the best first: POSIX shared memory where the system has it as a folder, then the temporary folder."""
    shared = Path("/dev/shm")
    found = [shared] if shared.is_dir() and os.access(shared, os.W_OK | os.X_OK) else []
    return [*found, Path(tempfile.gettempdir())]


def with_room(places: Sequence[Path], needed_bytes: int) -> Iterator[Path]:
    """Those of `places` that have room for so many bytes."""
    for place in places:
        try:
            if shutil.disk_usage(place).free >= needed_bytes:
                yield place
        except OSError:
            continue


def sweep(places: Sequence[Path]) -> None:
    """Remove the folders whose owners are dead."""
    for place in places:
        for folder in place.glob(f"{_PREFIX}*"):
            if folder.is_dir() and not folder.is_symlink():
                _remove_if_abandoned(folder)


def remove_all() -> None:
    """Remove every folder of this process."""
    for folder in list(_in_use):
        folder.remove()


def _remove_if_abandoned(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        if _age_s(folder) > _NEWBORN_S:
            # Made by a process that died at once, and then it is empty; a folder of this name with something in it is not ours.
            with suppress(OSError):
                folder.rmdir()
        return
    except OSError:
        return  # somebody else's
    try:
        # Held until the folder is gone: whoever is just making it cannot take it for his own in the meantime.
        if fcntl and _locked(lock):
            remove_folder(folder)
            return
        abandoned = not fcntl and _locked(lock) and _age_s(folder) > _NEWBORN_S
    finally:
        os.close(lock)
    if abandoned:  # Windows removes no open file, so there age alone tells a folder that is just being made
        remove_folder(folder)


def _age_s(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0


def _locked(descriptor: int) -> bool:
    """Whether this process holds the lock now; it lets go of it when it closes the file or dies."""
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
