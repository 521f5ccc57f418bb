"""Shared memory by which a worker process gives its results to the trial: slots of equal size, used again and again."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import struct
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing.context import BaseContext
from typing import Any

from runner.host.connections import Connection

# A worker fills one while the trial looks at another. More help only a consumer whose speed varies.
SLOTS = 4

_NUMBER = struct.Struct("i")


class Slots:
    """The slots of one worker. Made in the trial, then inherited by the worker or sent to it while it is started.

    Args:
        context: of the worker.
        slot_bytes: the size of each.

    Raises:
        OSError: there is not enough memory.
    """

    def __init__(self, context: BaseContext, slot_bytes: int) -> None:
        self.slot_bytes = slot_bytes
        self._memory = SharedMapping(slot_bytes * SLOTS)
        self._released: Connection
        self._release: Connection
        self._released, self._release = context.Pipe(duplex=False)
        self._free = list(range(SLOTS))
        self._lock = threading.Lock()

    def __getstate__(self) -> tuple[int, SharedMapping, Connection]:
        return self.slot_bytes, self._memory, self._released

    def __setstate__(self, state: tuple[int, SharedMapping, Connection]) -> None:
        self.slot_bytes, self._memory, self._released = state
        self._free = list(range(SLOTS))
        self._lock = threading.Lock()

    def fill(self, array: Any) -> int:
        """In the worker: copy a C-contiguous array that fits into a free slot, and wait for one. Returns the slot's number."""
        import numpy as np

        with self._lock:
            slot = self._free.pop() if self._free else _NUMBER.unpack(self._released.recv_bytes())[0]
        np.copyto(self.view(slot, array.shape, array.dtype), array)
        return int(slot)

    def view(self, slot: int, shape: Sequence[int], dtype: Any) -> Any:
        """The array in a slot, not copied. In the trial it is good until ``release``."""
        import numpy as np

        return np.ndarray(shape, dtype, self._memory.buffer, slot * self.slot_bytes)

    def release(self, slot: int) -> None:
        """In the trial: the slot may be filled again."""
        self._release.send_bytes(_NUMBER.pack(slot))

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        self._released.close()
        if hasattr(self, "_release"):
            self._release.close()


class SharedMapping:
    """Memory that processes share, zeroed. It can be pickled while a process is started.

    It has no name, so that the system takes it back however its processes end. Memory of ``multiprocessing.shared_memory`` has one,
    and Python starts a process that keeps track of such names.

    Raises:
        OSError: there is not enough memory.
    """

    if sys.platform == "win32":
        # Here memory needs a name to be shared, and the system takes it back when the last process has let go of it.

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
        """Let go of it; where somebody still looks at it, it goes with the process."""
        with contextlib.suppress(BufferError):
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
