"""How the items of an epoch are distributed to worker threads: split beforehand, or taken from a shared queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from runner.modes.workers.queues import Queue, items_from


class Distribution(Protocol):
    """Says which items a worker thread handles. Threads are numbered from 0 through all workers."""

    def prepare(self, items: int) -> None:
        """Called in the trial before each epoch of ``items`` items."""

    def items_for(self, items: int, thread: int) -> Iterable[int]:
        """The items of a thread, called in its process. The iterable may block while other threads take from the same queue."""


class StaticSplit:
    """Each thread has its items beforehand, dealt out like cards."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def prepare(self, items: int) -> None:
        """Nothing: the split follows from the numbers."""

    def items_for(self, items: int, thread: int) -> range:
        return range(thread, items, self._threads)


class SharedQueue:
    """Each thread takes items from one queue as soon as it is free."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def prepare(self, items: int) -> None:
        self._queue.fill(items)

    def items_for(self, items: int, thread: int) -> Iterator[int]:  # noqa: ARG002  (the queue gives what comes next, to anyone)
        return items_from(self._queue)
