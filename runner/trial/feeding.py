"""Between workers and the consumer: what they bring is put into batches, and what it is late for makes them wait."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from runner.errors import TrialError, TrialFailed
from runner.modes import GoOn
from runner.pipeline.batches import Assembler, Batch, Batching, Laying

# Up to which item workers may go where nothing holds them back.
_NO_LIMIT = 2**62


class Feed:
    """The batches of one pass over the images. Workers bring results, from any thread; the consumer takes batches, in one.

    Args:
        batching: how batches are made.
        window: how many items may be on their way, where the order is kept.
    """

    def __init__(self, batching: Batching, window: int) -> None:
        self._batching, self._window = batching, window
        self._assembler = Assembler(batching)
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, GoOn]] = []
        self._limit = window if batching.kept else _NO_LIMIT
        self._failure: TrialError | None = None
        self._over = False

    def is_early(self, item: int) -> bool:
        return item >= self._limit

    def when_due(self, item: int, go_on: GoOn) -> None:
        with self._changed:
            limit = self._limit
            if item >= limit:
                self._waiting.append((item, go_on))
                return
        go_on(limit)

    def wait(self, item: int) -> None:
        if item >= self._limit:
            with self._changed:
                self._changed.wait_for(lambda: item < self._limit)
        self.check()

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def result(self, item: int, array: Any, *, lasting: bool) -> None:
        with self._changed:
            if not self._batching.kept:
                self._wait_for_room()
            self.check()
            try:
                layings = self._assembler.place(item, array, lasting=lasting)
            except TrialFailed as error:
                due = self._failed(error)
            else:
                due = self._moved_on()
        self._lay(layings if self._failure is None else ())
        self._let_go(due)
        self.check()

    def missed(self, item: int) -> None:
        with self._changed:
            if self._failure is not None:
                return
            layings = self._assembler.missed(item)
            due = self._moved_on()
        self._lay(layings)
        self._let_go(due)

    def batch(self, items: Iterable[int], array: Any) -> None:
        with self._changed:
            self._wait_for_room()
            self.check()
            self._assembler.add(Batch.whole(array, list(items)))
            self._changed.notify_all()

    def take(self) -> tuple[Batch, int] | None:
        """The next batch, and how many more are ready; waits for one. None where there are no more.

        Raises:
            TrialError: workers brought what cannot be put into batches.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or self._assembler.ready or self._over)
            self.check()
            batch = self._assembler.take()
            ready = self._assembler.ready
            due = self._moved_on()
            self._changed.notify_all()
        self._let_go(due)
        return None if batch is None else (batch, ready)

    def end(self, items: int) -> None:
        """All workers are done with this many items: what is left is the last batch."""
        with self._changed:
            if self._failure is None and self._assembler.known != items:
                reason = f"the mode has handed over {self._assembler.known} of {items} items; its file has to bring them to the intake"
                self._failure = TrialFailed(f"consumer: {reason}", kind="NotHandedOver")
            self._assembler.close()
            self._over = True
            self._changed.notify_all()

    def fail(self, error: TrialError) -> None:
        """The consumer has failed: whoever waits goes on, and hears of it."""
        with self._changed:
            due = self._failed(error)
        self._let_go(due)

    def _failed(self, error: TrialError) -> list[GoOn]:
        self._failure, self._limit = error, _NO_LIMIT
        self._changed.notify_all()
        due, self._waiting = [go_on for _, go_on in self._waiting], []
        return due

    def _wait_for_room(self) -> None:
        most = self._batching.queue * self._batching.size
        self._changed.wait_for(lambda: self._failure is not None or self._assembler.untaken < most)

    def _moved_on(self) -> list[GoOn]:
        """Set the limit anew; returns what waited for it."""
        if not self._batching.kept or self._failure is not None:
            return []
        limit = self._assembler.next_item - self._assembler.untaken + self._window
        if limit == self._limit:
            return []
        self._limit = limit
        self._changed.notify_all()
        due = [go_on for item, go_on in self._waiting if item < limit]
        if due:
            self._waiting = [(item, go_on) for item, go_on in self._waiting if item >= limit]
        return due

    def _lay(self, layings: Iterable[Laying]) -> None:
        """Copy results into their rows, outside of the lock."""
        for laying in layings:
            laying.copy()
            with self._changed:
                laying.batch.laid()
                if laying.batch.complete:
                    self._changed.notify_all()

    def _let_go(self, due: Iterable[GoOn]) -> None:
        for go_on in due:
            go_on(self._limit)
