"""Puts the records of an epoch together, and writes them to a file where they are too many for memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runner.disk import appending
from runner.pipeline.stamps import WIDTH, Records, Spooled

# The most records that a collector keeps in memory, of 64 bytes each.
IN_MEMORY = 1 << 16

# As many records a worker gathers before it hands them to the collector.
BATCH = 1 << 13

# After how many items a worker looks whether a batch is full.
_LOOK_EVERY = 1 << 9


def unloading(items: Iterable[int], records: Records, unload: Callable[[Records], None]) -> Iterator[int]:
    """``items``; while they are handled, ``unload`` gets what ``records`` holds, a batch at a time."""
    for count, item in enumerate(items):
        if not count % _LOOK_EVERY and (batch := records.drained(BATCH)) is not None:
            unload(batch)
        yield item


class Collector:
    """The records of one epoch, as they come.

    Args:
        path: the file to whose end records are written; None keeps all of them in memory.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._whole = Records()
        self._lock = threading.Lock()

    def add(self, batch: Records) -> None:
        """Add the records of ``batch``; any thread may call this."""
        with self._lock:
            self._whole.absorb(batch)
            if self._path is not None and len(self._whole.values) > IN_MEMORY * WIDTH:
                self._spill(self._path)

    def done(self, batches: Iterable[Records] = ()) -> Records:
        """All records of the epoch, with those in ``batches``, which are added now."""
        for batch in batches:
            self.add(batch)
        return self._whole

    def __len__(self) -> int:
        return len(self._whole)

    def _spill(self, path: str) -> None:
        whole = self._whole
        with appending(Path(path)) as file:
            offset = file.tell()
            whole.values.tofile(file)
        before = whole.spooled or Spooled(path, offset, 0)
        whole.spooled = Spooled(path, before.offset, before.count + len(whole.values) // WIDTH)
        del whole.values[:]
