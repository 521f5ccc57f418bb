"""The system's page cache: how much of a file it holds, and how to drop a file from it."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys


def can_drop() -> bool:
    """Whether this system can drop a file's pages, by posix_fadvise(2)."""
    return sys.platform not in {"win32", "darwin"}


def drop(handle: int) -> None:
    """Drop the pages of an open file, if the system can."""
    if sys.platform != "win32" and sys.platform != "darwin":
        with contextlib.suppress(OSError):  # a read-only file system has nothing to write
            os.fsync(handle)  # the system does not drop pages that are not written yet
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
    # A private mapping, because ctypes takes the address of writable memory only. It is never written to, so nothing is copied.
    with mmap.mmap(handle, about.st_size, access=mmap.ACCESS_COPY) as mapped:
        start = ctypes.c_ubyte.from_buffer(mapped)
        failed = ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(about.st_size), states)
        del start  # it holds the mapping open
    return None if failed else sum(state & 1 for state in states) * mmap.PAGESIZE
