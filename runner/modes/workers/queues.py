"""Queues that give each item of an epoch to one thread or process, a run of neighbouring items at a time.

A queue is a counter. A free thread takes a run of items, and runs get shorter towards the end: guided self-scheduling
(Polychronopoulos & Kuck, 1987). It balances the load as well as single items do, at a fraction of the synchronisation.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from multiprocessing.context import BaseContext
from typing import Protocol

from runner.host.connections import Connection, put_message, take_message

# No run is longer, so that a slow worker never holds much more than its share.
LONGEST_RUN = 64

# Where the trial sends runs to workers, each has this many at a time: it works on the first while the second waits.
RUNS_PER_WORKER = 2


def run_length(remaining: int, takers: int, chunksize: int | None = None, longest: int = LONGEST_RUN) -> int:
    """How many of the ``remaining`` items one of ``takers`` takes at once; ``chunksize`` where that is given."""
    if chunksize is not None:
        return chunksize
    return max(1, min(LONGEST_RUN, longest, remaining // (4 * takers)))


class Queue(Protocol):
    """Gives each item of an epoch to one taker."""

    def fill(self, items: int) -> None:
        """Offer items ``0`` to ``items - 1``."""

    def take(self) -> range:
        """The next run of items; empty when none is left."""


def items_from(queue: Queue) -> Iterator[int]:
    """Items from ``queue`` until it is empty."""
    while run := queue.take():
        yield from run


class ThreadQueue:
    """A queue for threads of one process."""

    def __init__(self, takers: int, chunksize: int | None = None, longest: int = LONGEST_RUN) -> None:
        self._takers, self._chunksize, self._longest = takers, chunksize, longest
        self._lock = threading.Lock()
        self._next = self._items = 0

    def fill(self, items: int) -> None:
        with self._lock:
            self._next, self._items = 0, items

    def take(self) -> range:
        with self._lock:
            start = self._next
            self._next = min(self._items, start + run_length(self._items - start, self._takers, self._chunksize, self._longest))
            return range(start, self._next)


class ProcessQueue:
    """A queue for processes: the counter is the only message in a pipe, and whoever holds the message holds the lock.

    A pipe, unlike a semaphore, leaves no name behind in the system when all processes are killed.
    """

    _COUNTER = struct.Struct("qq")  # next item, items in the epoch

    def __init__(self, context: BaseContext, takers: int, chunksize: int | None = None, longest: int = LONGEST_RUN) -> None:
        self._takers, self._chunksize, self._longest = takers, chunksize, longest
        self._reader: Connection
        self._writer: Connection
        self._reader, self._writer = context.Pipe(duplex=False)
        self._filled = False

    def fill(self, items: int) -> None:
        if self._filled:
            self._get()  # the exhausted counter of the epoch before
        self._put(0, items)
        self._filled = True

    def take(self) -> range:
        start, items = self._get()
        stop = min(items, start + run_length(items - start, self._takers, self._chunksize, self._longest))
        self._put(stop, items)
        return range(start, stop)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def _get(self) -> tuple[int, int]:
        start, items = self._COUNTER.unpack(take_message(self._reader, self._COUNTER.size))
        return start, items

    def _put(self, start: int, items: int) -> None:
        put_message(self._writer, self._COUNTER.pack(start, items))
