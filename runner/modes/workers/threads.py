"""Threads in this process: the thread modes are made of them, and so are process workers with several threads each."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

from runner.host.affinity import allowed_cpus
from runner.modes import Books, Epoch, ModePlan, Watch, Worker
from runner.modes.workers.runtime import ThreadLimits, start_runtime
from runner.modes.workers.sharing import Sharing
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.stamps import Records

# How often an epoch's progress is looked at, in seconds: two wake-ups a second are not seen in any timing.
PROGRESS_INTERVAL_S = 0.5

# Takes some of a thread's records off it, called in that thread.
Unload = Callable[[Records], None]

# Which worker and which thread of it a thread counts as.
Identity = tuple[int, int]


class ThreadTeam:
    """``len(identities)`` threads that wait for epochs; ``hand`` numbers start at ``first_hand``."""

    def __init__(self, pipeline: Pipeline, sharing: Sharing, identities: list[Identity], first_hand: int = 0) -> None:
        self._pipeline = pipeline
        self._sharing = sharing
        self._identities = identities
        self._first_hand = first_hand
        self._orders: list[queue.SimpleQueue[tuple[Epoch, Records, Unload] | None]] = [queue.SimpleQueue() for _ in identities]
        self._answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, args=(place,), name=f"worker-{identity[0]}.{identity[1]}", daemon=True)
            for place, identity in enumerate(identities)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def run(self, epoch: Epoch, unload: Unload, progress: Callable[[list[Records]], None]) -> list[Records]:
        """One ``Records`` a thread, with what was not handed to ``unload`` before; ``progress`` sees them now and then.

        What was sent to the sink is in the first.
        """
        if not epoch.verify:
            self._pipeline.begin(epoch.number)
        parts = [Records() for _ in self._orders]
        for order, part in zip(self._orders, parts, strict=True):
            order.put((epoch, part, unload))
        waiting = len(self._orders)
        while waiting:
            try:
                failure = self._answers.get(timeout=PROGRESS_INTERVAL_S)
            except queue.Empty:
                progress(parts)
                continue
            if failure is not None:
                raise failure
            waiting -= 1
        if not epoch.verify:
            parts[0].receipt = self._pipeline.end()
        return parts

    def stop(self) -> None:
        for order in self._orders:
            order.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self, place: int) -> None:
        worker, thread = self._identities[place]
        while (order := self._orders[place].get()) is not None:
            epoch, records, unload = order
            try:
                items = self._sharing.items_for(epoch.items, self._first_hand + place)
                if epoch.verify:
                    self._pipeline.verify(items, records)
                else:
                    self._pipeline.handle(unloading(items, records, unload), worker, thread, records)
            except BaseException as error:  # carried to the thread that waits for the epoch
                self._answers.put(error)
            else:
                self._answers.put(None)


class ThreadMode:
    """A mode whose workers are threads of the trial process; a subclass says how they share the items."""

    forks = False
    imports_here = True

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._sharing = self.sharing(plan.workers)
        self._team: ThreadTeam
        self._pipeline: Pipeline

    def sharing(self, workers: int) -> Sharing:
        raise NotImplementedError

    def limits(self) -> ThreadLimits:
        """TensorFlow's threads in this mode."""
        return self._plan.limits

    def start(self) -> list[Worker]:
        threads = start_runtime(self.limits(), tensorflow=self._plan.pipeline.uses_tensorflow)
        self._pipeline = self._plan.pipeline.build()
        self._team = ThreadTeam(self._pipeline, self._sharing, [(worker, 0) for worker in range(self._plan.workers)])
        self._team.start()
        return [Worker(pid=os.getpid(), threads=threads, import_s=0.0, cpus=allowed_cpus())]

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        collector = Collector(self._plan.spool)

        def progress(parts: list[Records]) -> None:
            watch.progress(len(collector) + sum(map(len, parts)))

        self._sharing.prepare(epoch.items)
        watch.released()
        parts = self._team.run(epoch, collector.add, progress)
        watch.finished()
        return collector.done(parts)

    def books(self) -> dict[int, Books]:
        return {}

    def stop(self) -> None:
        self._team.stop()
        self._pipeline.close()
