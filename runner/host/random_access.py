"""Reads from given offsets of an open file, from many threads at the same time."""

from __future__ import annotations

import os
import sys
import threading


class RandomAccessFile:
    """A file that is open for reading."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``: fewer if a signal interrupted the read, none at the end of the file."""
        if sys.platform != "win32":
            return os.pread(self._handle, length, offset)
        with self._lock:  # all threads share the position in the file
            os.lseek(self._handle, offset, os.SEEK_SET)
            return os.read(self._handle, length)

    def close(self) -> None:
        os.close(self._handle)
