"""Puts the records of an epoch together; more of them than belong into memory go to a file meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runner.records import WIDTH, Records, Spooled

# So many are kept in memory: 64 bytes each.
IN_MEMORY = 1 << 16


class Collector:
    """The records of one epoch, as they come.

    Args:
        path: the file for what is too much, to whose end it is written; None keeps everything in memory.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._whole = Records()

    def add(self, part: Records) -> None:
        """Take over what is in ``part``."""
        self._whole.absorb(part)
        if self._path is not None and len(self._whole.values) > IN_MEMORY * WIDTH:
            self._spill(self._path)

    def drain(self, parts: Iterable[Records]) -> None:
        """Take what is in ``parts``, which others go on to fill, where it is much."""
        for part in parts:
            if (some := part.drained(IN_MEMORY // 4)) is not None:
                self.add(some)

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
