"""What is kept of each image: eight integers, its error if it failed, its digest where one was asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runner.pipeline.receipts import Receipt


class Record(NamedTuple):
    """One image of one epoch.

    Attributes:
        item: its number in the epoch, from 0.
        worker, thread: numbers of the worker and of its thread that handled it.
        read_start, task_start, sink_start, end: nanoseconds on the clock that all processes of a machine share
            (``time.perf_counter_ns``). A stage that was not reached has the time of the failure.
        ok: 1, or 0 where it failed.
    """

    item: int
    worker: int
    thread: int
    read_start: int
    task_start: int
    sink_start: int
    end: int
    ok: int


WIDTH = len(Record._fields)


class Columns(NamedTuple):
    """Many records: an int64 array for each field of ``Record``."""

    item: Any
    worker: Any
    thread: Any
    read_start: Any
    task_start: Any
    sink_start: Any
    end: Any
    ok: Any

    def taken(self, which: Any) -> Columns:
        """Those at the places ``which``, or where the mask ``which`` is true."""
        return Columns(*(column[which] for column in self))


# How many records are read from a file at once.
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Spooled:
    """Records that were too many for memory, in a file: as in ``Records.values``, from ``offset`` bytes on."""

    path: str
    offset: int
    count: int

    def parts(self) -> Iterator[array[int]]:
        """Them, some at a time."""
        with Path(self.path).open("rb") as file:
            file.seek(self.offset)
            for start in range(0, self.count, _CHUNK):
                part = array("q")
                part.fromfile(file, min(_CHUNK, self.count - start) * WIDTH)
                yield part


@dataclass
class Records:
    """Records of many images, packed: 64 bytes each, cheap to append to and to send.

    Attributes:
        values: the records' integers, one after the other.
        errors: for each failed item, what went wrong; of very many, for some.
        digests: for each item of a verification, the hash of its result.
        spooled: those that come before ``values``, in a file.
        returned_bytes: of results that came back to the trial from worker processes.
        handed_over: for each item of a verification whose result came back, a hash of its bytes as the worker sent them.
        receipt: what has been sent to the sink.
    """

    values: array[int] = field(default_factory=lambda: array("q"))
    errors: dict[int, str] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    spooled: Spooled | None = None
    returned_bytes: int = 0
    handed_over: dict[int, bytes] = field(default_factory=dict)
    receipt: Receipt = field(default_factory=Receipt)

    def __len__(self) -> int:
        return len(self.values) // WIDTH + (self.spooled.count if self.spooled else 0)

    def __iter__(self) -> Iterator[Record]:
        for part in self._parts():
            for start in range(0, len(part), WIDTH):
                yield Record(*part[start : start + WIDTH])

    def columns(self, most: int) -> Iterator[Columns]:
        """All records, ``most`` at a time."""
        return (Columns(*table.T) for table in self._tables(most))

    def table(self) -> Any:
        """All records at once, as an int64 array of shape ``(len(self), WIDTH)``, its columns as in ``Record``."""
        import numpy as np

        return next(self._tables(max(1, len(self))), np.empty((0, WIDTH), dtype=np.int64))

    def _tables(self, most: int) -> Iterator[Any]:
        import numpy as np

        held: list[Any] = []
        room = most
        for part in self._parts():
            table = np.frombuffer(part, dtype=np.int64).reshape(-1, WIDTH)
            while len(table):
                held.append(table[:room])
                table = table[room:]
                room -= len(held[-1])
                if not room:
                    yield np.concatenate(held)
                    held, room = [], most
        if held:
            yield np.concatenate(held)

    def failed(self) -> frozenset[int]:
        """The items that failed: all of them, where ``errors`` has the reasons of some."""
        import numpy as np

        place = Record._fields.index("ok")
        tables = (np.frombuffer(part, dtype=np.int64).reshape(-1, WIDTH) for part in self._parts() if len(part))
        return frozenset(item for table in tables for item in table[table[:, place] == 0, 0].tolist())

    def drained(self, least: int = 1) -> Records | None:
        """Records of its own with what is here by now, which is here no more; None where it is fewer than ``least``."""
        if len(self.values) < least * WIDTH:
            return None
        part = Records(self.values[:], dict(self.errors))
        del self.values[:]
        self.errors.clear()
        return part

    def _parts(self) -> Iterator[array[int]]:
        if self.spooled is not None:
            yield from self.spooled.parts()
        yield self.values

    def absorb(self, other: Records) -> None:
        """Add what ``other`` holds."""
        self.values.extend(other.values)
        self.errors.update(other.errors)
        self.digests.update(other.digests)
        self.handed_over.update(other.handed_over)
        self.receipt += other.receipt
