"""Workers wait their turn: no item is handled that is too far ahead of what the consumer has taken."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import BaseContext

from runner.host.connections import Connection
from runner.modes import Intake
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks.handing import HandingSink

_LIMIT = struct.Struct("q")


@dataclass(frozen=True)
class Waiting:
    """A thread of a worker process waits until it may handle an item."""

    item: int
    thread: int


def in_turn(items: Iterable[int], intake: Intake) -> Iterator[int]:
    """``items``, each when it may be handled; for a thread of the trial."""
    for item in items:
        intake.wait(item)
        yield item


@contextmanager
def handed_on(pipeline: Pipeline, intake: Intake | None) -> Iterator[None]:
    """Meanwhile the results of a pipeline of this process, which was built with a ``HandingSink``, go to ``intake``."""
    if intake is None:
        yield
        return
    sink = pipeline.sink
    assert isinstance(sink, HandingSink)  # noqa: S101  (a plan without batches has no intake)
    sink.taker = intake
    try:
        yield
    finally:
        sink.taker = None


class Turns:
    """Lets the threads of one worker process go on. Made in the trial, then inherited by the worker or sent to it while it is started.

    A thread knows up to which item it may go. Where that is not far enough, it says so, and waits for a message with a later one; so
    nothing is sent as long as workers are no faster than the consumer.
    """

    def __init__(self, context: BaseContext, threads: int) -> None:
        pipes = [context.Pipe(duplex=False) for _ in range(threads)]
        self._receivers: list[Connection] = [receiver for receiver, _ in pipes]
        self._senders: list[Connection] = [sender for _, sender in pipes]

    def __getstate__(self) -> list[Connection]:
        return self._receivers

    def __setstate__(self, receivers: list[Connection]) -> None:
        self._receivers, self._senders = receivers, []

    def items(self, items: Iterable[int], thread: int, send: Callable[[Waiting], None]) -> Iterator[int]:
        """In the worker: ``items`` of one of its threads in one epoch, each when it may be handled."""
        limit = 0
        for item in items:
            while item >= limit:
                send(Waiting(item, thread))
                (limit,) = _LIMIT.unpack(self._receivers[thread].recv_bytes())
            yield item

    def go_on(self, thread: int, limit: int) -> None:
        """In the trial: let a thread that waits go on up to this item. Nothing happens where its process has ended."""
        with suppress(OSError):  # the end of a worker is noticed by whoever listens to it
            self._senders[thread].send_bytes(_LIMIT.pack(limit))

    def close(self) -> None:
        """In the trial: let go of the pipes."""
        for connection in (*self._receivers, *self._senders):
            connection.close()
