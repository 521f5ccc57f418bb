"""``mode=thread_pool``: threads that take items from one queue."""

from __future__ import annotations

from runner.modes.workers.distribution import Distribution, SharedQueue
from runner.modes.workers.queues import ThreadQueue
from runner.modes.workers.thread_mode import ThreadMode


class ThreadPool(ThreadMode):
    """Each thread takes items as soon as it is free."""

    def distribution(self, threads: int) -> Distribution:
        return SharedQueue(ThreadQueue(threads, self._plan.mode.chunksize, self._plan.longest_run(threads)))


PROVIDES = ThreadPool
