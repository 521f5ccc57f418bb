"""Shared memory through which a worker process hands its results over: slots of equal size, used again and again.

The memory loses its name as soon as it is made, so that the system takes it back whatever kills whom: a worker inherits it, or gets a
handle of it. Windows takes it back in any case, and hands it over by its name.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.context import BaseContext
from multiprocessing.shared_memory import SharedMemory
from typing import Any

from runner.host.connections import Connection

# A worker fills one while the trial looks at another; more than that only helps a consumer that comes in fits and starts.
SLOTS = 4

_NUMBER = struct.Struct("i")


class Slots:
    """The slots of one worker. Made in the trial, then handed to the worker.

    Args:
        context: of the worker.
        slot_bytes: the size of each.

    Raises:
        OSError: there is not so much.
    """

    def __init__(self, context: BaseContext, slot_bytes: int) -> None:
        self.slot_bytes = slot_bytes
        self._memory: Any  # SharedMemory, or _Mapped in a worker that did not inherit it
        with _untracked():
            self._memory = SharedMemory(create=True, size=slot_bytes * SLOTS)
            if sys.platform != "win32":
                self._memory.unlink()
        self._released: Connection
        self._release: Connection
        self._released, self._release = context.Pipe(duplex=False)
        self._free = list(range(SLOTS))
        self._lock = threading.Lock()

    def __getstate__(self) -> tuple[int, Any, Connection]:
        handle: Any = self._memory.name
        if sys.platform != "win32":
            from multiprocessing.reduction import DupFd

            handle = DupFd(self._memory._fd)  # noqa: SLF001  (there is no public way to it)
        return self.slot_bytes, handle, self._released

    def __setstate__(self, state: tuple[int, Any, Connection]) -> None:
        self.slot_bytes, handle, self._released = state
        if sys.platform == "win32":
            self._memory = SharedMemory(handle)
        else:
            self._memory = _Mapped(handle.detach(), self.slot_bytes * SLOTS)
        self._free = list(range(SLOTS))
        self._lock = threading.Lock()

    def fill(self, array: Any) -> int:
        """In the worker: copy a C-contiguous array that fits into a slot; waits until one is free. Returns the slot's number."""
        import numpy as np

        with self._lock:
            slot = self._free.pop() if self._free else _NUMBER.unpack(self._released.recv_bytes())[0]
        np.copyto(self.view(slot, array.shape, array.dtype), array)
        return int(slot)

    def view(self, slot: int, shape: Sequence[int], dtype: Any) -> Any:
        """The array in a slot, without a copy: in the trial, good until ``release``."""
        import numpy as np

        return np.ndarray(shape, dtype, self._memory.buf, slot * self.slot_bytes)

    def release(self, slot: int) -> None:
        """In the trial: the slot may be filled again."""
        self._release.send_bytes(_NUMBER.pack(slot))

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(BufferError):  # somebody still looks at it; the memory goes with the process
            self._memory.close()
        self._released.close()
        if hasattr(self, "_release"):
            self._release.close()


class _Mapped:
    """Shared memory by a handle, of which only the mapping is kept."""

    def __init__(self, handle: int, size_bytes: int) -> None:
        try:
            self._mapping = mmap.mmap(handle, size_bytes)
        finally:
            os.close(handle)
        self.buf = memoryview(self._mapping)

    def close(self) -> None:
        self.buf.release()
        self._mapping.close()


@contextlib.contextmanager
def _untracked() -> Iterator[None]:
    """Keep Python from starting a process that tracks shared memory: it would be one more process of the trial's.

    From Python 3.13 on there is ``track=False`` for opening it, but not for both ways with one call that older ones have too.
    """
    if sys.platform == "win32":  # nothing is tracked there
        yield
        return
    from multiprocessing import resource_tracker

    tracked = resource_tracker.register, resource_tracker.unregister
    resource_tracker.register = resource_tracker.unregister = lambda *_: None
    try:
        yield
    finally:
        resource_tracker.register, resource_tracker.unregister = tracked
