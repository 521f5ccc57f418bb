"""The worker threads of one process. Thread modes have one such team, process workers with several threads one each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runner.modes import Epoch
from runner.modes.workers.distribution import Distribution
from runner.modes.workers.progress import PROGRESS_INTERVAL_S
from runner.pipeline.collector import unloading
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.stamps import Records

# Takes some of a thread's records off it, called in that thread.
Unload = Callable[[Records], None]

# Makes the items of a thread, by its place in the team, come when each may be handled.
Turn = Callable[[Iterable[int], int], Iterable[int]]


@dataclass(frozen=True)
class ThreadId:
    """Which worker a thread counts as, and which of the worker's threads it is."""

    worker: int
    thread: int = 0


class ThreadTeam:
    """Threads that wait for epochs, one for each of ``ids``; through all workers they are numbered from ``first_thread`` on."""

    def __init__(self, pipeline: Pipeline, distribution: Distribution, ids: list[ThreadId], first_thread: int = 0) -> None:
        self._pipeline = pipeline
        self._distribution = distribution
        self._ids = ids
        self._first_thread = first_thread
        self._epochs: list[queue.SimpleQueue[tuple[Epoch, Records, Unload, Turn | None] | None]] = [
            queue.SimpleQueue() for _ in ids
        ]
        self._outcomes: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, args=(index,), name=f"worker-{one.worker}.{one.thread}", daemon=True)
            for index, one in enumerate(ids)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def run(
        self, epoch: Epoch, unload: Unload, progress: Callable[[list[Records]], None], turn: Turn | None = None
    ) -> list[Records]:
        """Run an epoch. Returns for each thread the records that it did not give to ``unload``; ``progress`` sees them now and then.

        The sink's receipt is in the records of the first thread.
        """
        if not epoch.verify:
            self._pipeline.begin(epoch.number)
        per_thread = [Records() for _ in self._threads]
        for epochs, records in zip(self._epochs, per_thread, strict=True):
            epochs.put((epoch, records, unload, turn))
        busy = len(self._threads)
        while busy:
            try:
                failure = self._outcomes.get(timeout=PROGRESS_INTERVAL_S)
            except queue.Empty:
                progress(per_thread)
                continue
            if failure is not None:
                raise failure
            busy -= 1
        if not epoch.verify:
            per_thread[0].receipt = self._pipeline.end()
        return per_thread

    def stop(self) -> None:
        for epochs in self._epochs:
            epochs.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self, index: int) -> None:
        while (order := self._epochs[index].get()) is not None:
            try:
                self._handle(index, *order)
            except BaseException as error:  # carried to the thread that waits for the epoch
                self._outcomes.put(error)
            else:
                self._outcomes.put(None)

    def _handle(self, index: int, epoch: Epoch, records: Records, unload: Unload, turn: Turn | None) -> None:
        items = self._distribution.items_for(epoch.items, self._first_thread + index)
        if epoch.verify:
            self._pipeline.verify(items, records)
        else:
            one = self._ids[index]
            if turn is not None:
                items = turn(items, index)
            self._pipeline.handle(unloading(items, records, unload), one.worker, one.thread, records)
