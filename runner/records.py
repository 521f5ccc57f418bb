"""What is kept of each image: eight integers, its error if it failed, its digest where one was asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.receipts import Receipt


class Record(NamedTuple):
    """One image of one epoch.

    Attributes:
        item: its number in the epoch, from 0.
        worker, thread: who handled it; ``thread`` counts within the worker.
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


@dataclass
class Records:
    """Records of many images, packed: 64 bytes each, cheap to append to and to send.

    Attributes:
        values: the records' integers, one after the other.
        errors: for each failed item, what went wrong.
        digests: for each item of a verification, the hash of its result.
        receipt: what has been sent to the sink.
    """

    values: array[int] = field(default_factory=lambda: array("q"))
    errors: dict[int, str] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    receipt: Receipt = field(default_factory=Receipt)

    def __len__(self) -> int:
        return len(self.values) // WIDTH

    def __iter__(self) -> Iterator[Record]:
        values = self.values
        for start in range(0, len(values), WIDTH):
            yield Record(*values[start : start + WIDTH])

    def absorb(self, other: Records) -> None:
        """Add what ``other`` holds."""
        self.values.extend(other.values)
        self.errors.update(other.errors)
        self.digests.update(other.digests)
        self.receipt += other.receipt
