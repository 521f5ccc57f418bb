"""Memory that a process shares with those it starts."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import sys
import tempfile
from typing import Any


class SharedMapping:
    """Memory that processes share, zeroed. It can be pickled while a process is started.

    It has no name, so the system frees it however its processes end. The memory of ``multiprocessing.shared_memory`` has a name, and
    Python starts a process that keeps track of such names.

    Raises:
        OSError: there is not enough memory.
    """

    if sys.platform == "win32":
        # Windows shares memory by name only, and frees it when the last process has closed it.

        def __init__(self, size_bytes: int, handle: str | None = None) -> None:
            self._size_bytes, self._handle = size_bytes, handle or f"runner-{secrets.token_hex(8)}"
            self._mapping = mmap.mmap(-1, size_bytes, tagname=self._handle)
            self.buffer = memoryview(self._mapping)

        def __reduce__(self) -> tuple[Any, ...]:
            return SharedMapping, (self._size_bytes, self._handle)

    else:

        def __init__(self, size_bytes: int, handle: Any = None) -> None:
            descriptor = _memory_file(size_bytes) if handle is None else handle.detach()
            self._size_bytes, self._file = size_bytes, os.fdopen(descriptor, "r+b", buffering=0)
            self._mapping = mmap.mmap(descriptor, size_bytes)
            self.buffer = memoryview(self._mapping)

        def __reduce__(self) -> tuple[Any, ...]:
            from multiprocessing.reduction import DupFd

            return SharedMapping, (self._size_bytes, DupFd(self._file.fileno()))

    def close(self) -> None:
        """Close it. While an array still refers to it, it stays mapped until the process ends."""
        with contextlib.suppress(BufferError):  # an array refers to it
            self.buffer.release()
            self._mapping.close()
        if sys.platform != "win32":
            self._file.close()


def _memory_file(size_bytes: int) -> int:
    """The descriptor of a file without a name: in memory on Linux, elsewhere and in builds for an old glibc in the temporary folder."""
    if sys.platform == "linux" and hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("runner-results")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size_bytes)
    return descriptor
