"""The system's page cache: what of a file is in memory, and how to drop it."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys


def can_drop() -> bool:
    """Whether this system drops a file's pages when it is asked to, by posix_fadvise(2)."""
    return sys.platform not in {"win32", "darwin"}


def drop(handle: int) -> None:
    """Have the pages of an open file dropped, where the system can."""
    if sys.platform != "win32" and sys.platform != "darwin":
        with contextlib.suppress(OSError):  # a file system that is read-only has nothing to write
            os.fsync(handle)  # pages that are not written yet are not dropped
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def resident_bytes(handle: int) -> int | None:
    """How much of an open file is in memory, in bytes of whole pages; None where the system does not say.

    By mincore(2): Linux is accurate only for a file that this user owns or may write to; any other is reported as fully in memory.
    """
    about = os.fstat(handle)
    if sys.platform != "linux" or not (os.geteuid() in (0, about.st_uid) or os.access(f"/proc/self/fd/{handle}", os.W_OK)):
        return None
    if not about.st_size:
        return 0
    pages = -(-about.st_size // mmap.PAGESIZE)
    states = (ctypes.c_ubyte * pages)()
    # A private copy, because ctypes takes the address only of what may be written; it is never touched, so nothing is copied.
    with mmap.mmap(handle, about.st_size, access=mmap.ACCESS_COPY) as mapped:
        start = ctypes.c_ubyte.from_buffer(mapped)
        failed = ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(about.st_size), states)
        del start  # it holds the mapping open
    return None if failed else sum(state & 1 for state in states) * mmap.PAGESIZE
