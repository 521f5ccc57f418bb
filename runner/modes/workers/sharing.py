"""How the items of an epoch come to the workers: dealt out beforehand, or taken from a queue by whoever is free.

The queue is a counter. Whoever is free takes a run of items that shrinks towards the end: guided self-scheduling
(Polychronopoulos & Kuck, 1987), which balances like single items at a fraction of the synchronisation.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from multiprocessing.context import BaseContext
from typing import Protocol

from runner.host.connections import Connection

# No run is longer, so that a slow worker never sits on much more than its share.
LONGEST_RUN = 64

# Where runs are handed out, so many are on their way to each worker: one that it works on, one that waits for it.
AHEAD = 2


def dealt(items: int, hand: int, hands: int) -> range:
    """The items of number ``hand`` of ``hands``, dealt out like cards."""
    return range(hand, items, hands)


def run_length(remaining: int, takers: int, chunksize: int | None = None) -> int:
    """How many items to take at once: ``chunksize`` where that is given."""
    if chunksize is not None:
        return chunksize
    return max(1, min(LONGEST_RUN, remaining // (4 * takers)))


class Queue(Protocol):
    """Gives each item of an epoch to one taker."""

    def fill(self, items: int) -> None:
        """Offer items ``0`` to ``items - 1``."""

    def take(self) -> range:
        """The next run of items; empty when there is none left."""


def taken(queue: Queue) -> Iterator[int]:
    """Items from ``queue`` until it is empty."""
    while run := queue.take():
        yield from run


class ThreadQueue:
    """A queue for threads of one process."""

    def __init__(self, takers: int, chunksize: int | None = None) -> None:
        self._takers, self._chunksize = takers, chunksize
        self._lock = threading.Lock()
        self._next = self._items = 0

    def fill(self, items: int) -> None:
        with self._lock:
            self._next, self._items = 0, items

    def take(self) -> range:
        with self._lock:
            start = self._next
            self._next = min(self._items, start + run_length(self._items - start, self._takers, self._chunksize))
            return range(start, self._next)


class ProcessQueue:
    """A queue for processes: the counter is the one message in a pipe, and to hold the message is to hold the lock.

    A pipe, unlike a semaphore, leaves no name behind in the system when everybody is killed. ``read`` on a pipe that holds
    one message of 16 bytes gives all of it to one reader; where handles are not file descriptors (Windows), pipes keep
    messages whole by themselves.
    """

    _COUNTER = struct.Struct("qq")  # next item, items in the epoch

    def __init__(self, context: BaseContext, takers: int, chunksize: int | None = None) -> None:
        self._takers, self._chunksize = takers, chunksize
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
        stop = min(items, start + run_length(items - start, self._takers, self._chunksize))
        self._put(stop, items)
        return range(start, stop)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    if sys.platform == "win32":

        def _get(self) -> tuple[int, int]:
            start, items = self._COUNTER.unpack(self._reader.recv_bytes())
            return start, items

        def _put(self, start: int, items: int) -> None:
            self._writer.send_bytes(self._COUNTER.pack(start, items))

    else:

        def _get(self) -> tuple[int, int]:
            start, items = self._COUNTER.unpack(os.read(self._reader.fileno(), self._COUNTER.size))
            return start, items

        def _put(self, start: int, items: int) -> None:
            os.write(self._writer.fileno(), self._COUNTER.pack(start, items))


class Sharing(Protocol):
    """Says which items a hand (one thread of one worker) handles in an epoch."""

    def prepare(self, items: int) -> None:
        """Called once before each epoch, where the epoch is started."""

    def items_for(self, items: int, hand: int) -> Iterable[int]:
        """The items for ``hand``, as an iterable that may block or run dry while others take from the same queue."""


class Dealt:
    """Every hand gets its items beforehand."""

    def __init__(self, hands: int) -> None:
        self._hands = hands

    def prepare(self, items: int) -> None:
        """Nothing: the deal follows from the numbers."""

    def items_for(self, items: int, hand: int) -> range:
        return dealt(items, hand, self._hands)


class Queued:
    """Every hand takes from the same queue as soon as it is free."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def prepare(self, items: int) -> None:
        self._queue.fill(items)

    def items_for(self, items: int, hand: int) -> Iterator[int]:  # noqa: ARG002  (the queue knows both)
        return taken(self._queue)
