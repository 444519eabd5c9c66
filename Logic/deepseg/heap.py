"""Memory that a network frees and takes again window after window, kept by the process meanwhile.

glibc hands large blocks back to the operating system as soon as they are free, which clears each page again when it is taken the next time: a tenth
to a half of a network's pass on the processor, the more the larger the window. Other C libraries are left as they are.
"""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Keys of glibc's mallopt (malloc.h), and the values that its own adjusting arrives at once a block of 32 MB has been freed.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
_NEVER = -1

_libc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
_lock, _runs, _passes = threading.Lock(), 0, 0


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Around a run: what is freed within stays with the process, and goes back to the system at the end of the last such run."""
    global _runs
    if _libc is None:
        yield
        return
    with _lock:
        _runs += 1
        _libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        with _lock:
            _runs -= 1
            if not _runs:
                for key, value in _USUAL.items():
                    _libc.mallopt(key, value)
                _libc.malloc_trim(0)


@contextmanager
def large_blocks_kept() -> Iterator[None]:
    """Around a network's pass: within a run that keeps what is freed, large blocks come from there, too."""
    global _passes
    if not _runs:
        yield
        return
    with _lock:
        _passes += 1
        _libc.mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        with _lock:
            _passes -= 1
            if not _passes:
                _libc.mallopt(_MMAP_MAX, _USUAL[_MMAP_MAX])
