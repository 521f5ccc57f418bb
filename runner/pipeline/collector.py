"""Puts the records of an epoch together; more of them than belong into memory go to a file meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runner.pipeline.stamps import WIDTH, Records, Spooled

# So many are kept in memory, of 64 bytes each: of all, and by whoever makes them until they are unloaded.
IN_MEMORY = 1 << 16
PART = 1 << 13

_LOOK_EVERY = 1 << 9


def unloading(items: Iterable[int], records: Records, unload: Callable[[Records], None]) -> Iterator[int]:
    """``items``; while they are handled, what has come together in ``records`` is handed to ``unload``, a part at a time."""
    for count, item in enumerate(items):
        if not count % _LOOK_EVERY and (part := records.drained(PART)) is not None:
            unload(part)
        yield item


class Collector:
    """The records of one epoch, as they come.

    Args:
        path: the file for what is too much, to whose end it is written; None keeps everything in memory.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._whole = Records()
        self._lock = threading.Lock()

    def add(self, part: Records) -> None:
        """Take over what is in ``part``; any thread may call this."""
        with self._lock:
            self._whole.absorb(part)
            if self._path is not None and len(self._whole.values) > IN_MEMORY * WIDTH:
                self._spill(self._path)

    def done(self, parts: Iterable[Records] = ()) -> Records:
        """All of it, with what is left in ``parts``."""
        for part in parts:
            self.add(part)
        return self._whole

    def __len__(self) -> int:
        return len(self._whole)

    def _spill(self, path: str) -> None:
        whole = self._whole
        with Path(path).open("ab") as file:
            offset = file.tell()
            whole.values.tofile(file)
        before = whole.spooled or Spooled(path, offset, 0)
        whole.spooled = Spooled(path, before.offset, before.count + len(whole.values) // WIDTH)
        del whole.values[:]
