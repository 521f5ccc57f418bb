"""How long a thread was ready to run but had no CPU."""

from __future__ import annotations

import os
import sys


class RunQueueDelay:
    """The run-queue delay of the thread that makes this object.

    Attributes:
        known: whether the system provides it.
    """

    def __init__(self) -> None:
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
            self.known = True
        except OSError:
            self.known = False

    def read_ns(self) -> int:
        """Nanoseconds since the thread began; always 0 where the system does not say."""
        if sys.platform != "linux" or not self.known:
            return 0
        return int(os.pread(self._file, 64, 0).split()[1])

    def close(self) -> None:
        if self.known:
            os.close(self._file)
