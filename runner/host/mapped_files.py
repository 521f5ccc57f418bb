"""The files that a process has mapped, most of them libraries."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_back_mapped_files() -> None:
    """Have the system write the pending changes of every file that this process has mapped to disk.

    Until they are written, Linux counts the pages of a freshly installed file as private dirty memory of each process that maps them. They
    could then not be distinguished from a process's own pages.
    """
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # no such system
        return
    for path in {words[5] for line in lines if len(words := line.split(maxsplit=5)) == 6 and words[5].startswith("/")}:
        with contextlib.suppress(OSError):  # removed meanwhile, or not a file on a disk
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
