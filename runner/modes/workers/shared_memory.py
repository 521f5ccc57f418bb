"""Shared memory by which a worker process gives its results to the trial: slots of equal size, used again and again."""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from multiprocessing.context import BaseContext
from typing import Any

from runner.host.connections import Connection
from runner.host.shared_memory import SharedMapping

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
